"""scikit-learn's fit and transform."""

from privis.estimators.transformer import FeatureExtractor

__all__ = ["FeatureExtractor"]
