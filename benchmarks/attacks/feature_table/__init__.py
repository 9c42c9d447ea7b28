"""Every feature under every protection, attacked; and figures that no change may worsen."""
