from .error_rates import ErrorRates as ErrorRates
from .error_rates import Rate as Rate
from .error_rates import clopper_pearson as clopper_pearson
from .linkability import global_linkability as global_linkability
from .score_calibration import CalibrationTable as CalibrationTable
