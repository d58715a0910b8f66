"""What is written for people to read, made from collected results alone."""
