"""What puts regions and predictions together: backbones, and one file a paper."""
