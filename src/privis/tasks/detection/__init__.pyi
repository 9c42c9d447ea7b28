from .boxes import DetectedBoxes as DetectedBoxes
from .boxes import greedy_suppression as greedy_suppression
from .boxes import overlaps as overlaps
from .measures import DetectionCurve as DetectionCurve
from .measures import MeanAveragePrecision as MeanAveragePrecision
from .measures import detection_curve as detection_curve
from .measures import mean_average_precision as mean_average_precision
