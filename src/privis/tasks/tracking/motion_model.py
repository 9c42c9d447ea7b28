"""Where somebody will be: a Kalman filter of constant velocity whose units are body heights and seconds.

What a person can do is known in those units (a step is half a height, to start or stop takes a second), so that one
set of numbers holds for every camera, place in the picture and frame rate.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MotionPlan:
    """What people do between frames.

    Args:
        position: standard deviation of a detection's feet, in heights.
        acceleration: standard deviation of the acceleration, in heights by second squared.
        speed: standard deviation of the velocity of somebody new, in heights by second; to walk is about 0.8.
    """

    position: float = 0.08
    acceleration: float = 2.0
    speed: float = 1.0


class FootMotion:
    """Place and velocity of one person's feet, as OpenCV's Kalman filter keeps them.

    Args:
        foot: x and y in pixels.
        height: of the person in pixels, the unit.
        plan: what people do.
    """

    def __init__(self, foot: npt.ArrayLike, height: float, plan: MotionPlan = MotionPlan()) -> None:
        import cv2

        self._plan, self._height = plan, height
        self._filter: Any = cv2.KalmanFilter(4, 2, 0, cv2.CV_64F)
        self._filter.measurementMatrix = np.eye(2, 4)
        self._filter.statePost = np.array([*np.asarray(foot, np.float64), 0.0, 0.0])[:, None]
        self._filter.errorCovPost = np.diag([(plan.position * height) ** 2] * 2 + [(plan.speed * height) ** 2] * 2)

    @property
    def foot(self) -> Floats:
        """Where the feet are now, x and y in pixels."""
        return np.asarray(self._filter.statePost)[:2, 0].copy()

    @property
    def velocity(self) -> Floats:
        """In pixels by second."""
        return np.asarray(self._filter.statePost)[2:, 0].copy()

    @property
    def spread(self) -> Floats:
        """Covariance (2, 2) of the distance of a detection from `foot`, in square pixels."""
        return np.asarray(self._filter.errorCovPost)[:2, :2] + np.eye(2) * (self._plan.position * self._height) ** 2

    def advance(self, seconds: float) -> None:
        """Let time pass.

        Args:
            seconds: since the last call.
        """
        step = np.eye(4)
        step[0, 2] = step[1, 3] = seconds
        each = np.array([[seconds**4 / 4, seconds**3 / 2], [seconds**3 / 2, seconds**2]])
        noise = (self._plan.acceleration * self._height) ** 2
        self._filter.transitionMatrix = step
        self._filter.processNoiseCov = np.kron(each, np.eye(2)) * noise
        self._filter.predict()
        # what is not corrected is what is known
        self._filter.statePost = self._filter.statePre.copy()
        self._filter.errorCovPost = self._filter.errorCovPre.copy()

    def correct(self, foot: npt.ArrayLike, height: float) -> None:
        """Take in a detection.

        Args:
            foot: x and y in pixels.
            height: of the person in pixels.
        """
        self._height = height
        self._filter.measurementNoiseCov = np.eye(2) * (self._plan.position * height) ** 2
        self._filter.correct(np.asarray(foot, np.float64)[:, None])
