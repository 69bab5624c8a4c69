"""What dataset_tool.py does with data sets of any format: `overview` draws them, `info` describes them, and
`archive` writes them as zip files and folders of images. `packing`, `hdf5` and `brecahad` are the commands of
StyleGAN2-ADA's; `window` and `comparison` serve display and compare."""
