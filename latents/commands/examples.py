"""Command lines that the help of run_generator.py shows."""

EXAMPLES = """examples:

  # Generate uncurated images of FFHQ (Figure 12)
  python run_generator.py generate-images --network=gdrive:networks/stylegan2-ffhq-config-f.pkl \\
    --seeds=6600-6625 --truncation-psi=0.5

  # Generate sixteen images with your own network, and a grid of them
  python run_generator.py generate-images --network=results/00000-run/network-final.pkl \\
    --seeds=0-15 --grid=4x4

  # The same without TensorFlow, with the network converted to ONNX once: pip install -e '.[onnx]'
  python run_generator.py generate-images --network=results/00000-run/network-final.pkl \\
    --seeds=0-15 --engine=onnx

  # Generate images of one class with a network that was trained with --labels=full
  python run_generator.py generate-images --network=results/00001-run/network-final.pkl \\
    --seeds=0-15 --class=cat --grid=4x4

  # Mix styles
  python run_generator.py style-mixing-example --network=gdrive:networks/stylegan2-ffhq-config-f.pkl \\
    --row-seeds=85,100,75,458,1500 --col-seeds=55,821,1789,293

  # Draw figures of the papers with your own network: one picture each
  python run_generator.py style-mixing-figure --network=results/00000-run/network-final.pkl \\
    --src-seeds=1-5 --dst-seeds=6-11
  python run_generator.py truncation --network=results/00000-run/network-final.pkl --seeds=1,2

  # Draw a video of eight walks side by side, each a closed loop through four seeds
  python run_generator.py video --network=results/00000-run/network-final.pkl --seeds=0-31 --grid=4x2
"""
