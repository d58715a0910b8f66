"""The embedded detection data set, and checks of any COCO-format data set."""
