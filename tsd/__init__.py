"""Reproduction and ablations of Revisiting the Sibling Head in Object Detector (TSD, CVPR 2020)."""
