"""A card as an entry of OpenDP's registry of deployments of differential privacy."""
