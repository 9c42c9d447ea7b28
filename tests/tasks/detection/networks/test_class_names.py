"""tasks/detection/networks/class_names.py: the forms in which names of classes come."""

import pytest

from privis.errors import ParameterError
from privis.tasks.detection.networks.class_names import class_names


@pytest.mark.parametrize(
    "text",
    [
        "person\ntraffic light\n",
        "\r\nperson\r\n  traffic light  \r\n\r\n",
        "{0: 'person', 1: 'traffic light'}",
        '{"1": "traffic light", "0": "person"}',
        "['person', 'traffic light']",
        "# a data set\npath: .\nnames:\n  1: traffic light # lamps\n  0: person\nnc: 2\n",
        "names:\n- person\n- 'traffic light'\n",
        "names: [person, traffic light]\n",
        "names: {0: person, 1: traffic light}\n",
    ],
)
def test_every_form(text):
    assert class_names(text, "names") == ("person", "traffic light")


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "0 names"),
        ("car\ncar\n", "'car' twice"),
        ("{0: 'a', 2: 'b'}", "each number from 0 to 1 once"),
        ("names:\n  0: a\n  0: b\n", "each number from 0"),
        ("names:\n", "0 names"),
        ("{a: b}", "each number from 0"),
    ],
)
def test_what_is_refused(text, match):
    with pytest.raises(ParameterError, match=match):
        class_names(text, "names")
