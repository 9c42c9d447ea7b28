"""The public names of ``privis.joint.release``."""

from .distributed_noise import ReleasePlan as ReleasePlan
from .owner_contributions import Contribution as Contribution
from .owner_contributions import JointResult as JointResult
from .simulated_release import Owner as Owner
from .simulated_release import release_jointly as release_jointly
