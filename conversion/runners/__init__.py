"""What a parity check can run: one network, read by one tool."""
