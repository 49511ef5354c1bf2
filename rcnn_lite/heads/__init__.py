"""What is predicted from a region's features."""
