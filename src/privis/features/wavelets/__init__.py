"""Filter banks and the features made of them: Gabor energies, wavelet scattering."""
