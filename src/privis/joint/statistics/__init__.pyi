"""The public names of ``privis.joint.statistics``."""

from .exact import ClassMeans as ClassMeans
from .exact import Covariance as Covariance
from .exact import Histogram as Histogram
from .exact import Mean as Mean
from .exact import MeanAndDeviation as MeanAndDeviation
from .exact import compute as compute
from .exact import statistic_job as statistic_job
from .kmeans import JointCodebook as JointCodebook
from .kmeans import codebook as codebook
from .kmeans import codebook_job as codebook_job
from .principal_components import Components as Components
from .principal_components import components_job as components_job
from .principal_components import read_components as read_components
from .statistic import Statistic as Statistic
from .sums import Committee as Committee
from .sums import sum_job as sum_job
