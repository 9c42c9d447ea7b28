"""Joint jobs on real machines: certificates, configuration, control plane, agreement, the party process."""
