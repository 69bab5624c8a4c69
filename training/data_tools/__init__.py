"""What dataset_tool.py does with data sets of any format: `overview` draws them, `info` describes them, and
`archive` writes them as zip files and folders of images."""
