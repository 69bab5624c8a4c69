"""Downloads: cached, resumed after interruptions, complete or absent. `dnnlib.util.open_url` uses them."""
