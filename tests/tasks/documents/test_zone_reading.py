"""`check_digits`, `zone_formats` and `zone_reading`: ICAO's own examples, and errors that must not be called right."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ParameterError
from privis.tasks.documents import ALPHABET, CheckDigits, check_digit, zone_of_probabilities, zone_of_text
from privis.tasks.documents.zone_formats import TD1, TD2, TD3, format_of

# ICAO Doc 9303, parts 4 to 7: the examples of the Utopian documents
SPECIMENS = {
    "TD3": ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L898902C36UTO7408122F1204159ZE184226B<<<<<10"),
    "TD2": ("I<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "D231458907UTO7408122F1204159<<<<<<<6"),
    "TD1": ("I<UTOD231458907<<<<<<<<<<<<<<<", "7408122F1204159UTO<<<<<<<<<<<6", "ERIKSSON<<ANNA<MARIA<<<<<<<<<<"),
    "MRV-A": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "L8988901C4XXX4009078F96121096ZE184226B<<<<<<"),
    "MRV-B": ("V<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<", "L8988901C4XXX4009078F9612109<<<<<<<<"),
}
COVERED = [(name, check) for name in SPECIMENS for check in format_of(SPECIMENS[name]).checks]


def beliefs(lines, doubts=None, sure=0.999):
    """Probabilities of a reader that is sure but for ``doubts``: place to {character: probability}."""
    found = []
    for row, line in enumerate(lines):
        values = np.full((len(line), len(ALPHABET)), (1 - sure) / (len(ALPHABET) - 1))
        for column, character in enumerate(line):
            values[column, ALPHABET.index(character)] = sure
            for other, share in (doubts or {}).get((row, column), {}).items():
                values[column] = values[column] * 0.001
                values[column, ALPHABET.index(other)] = share
            for other, share in (doubts or {}).get((row, column), {}).items():
                values[column, ALPHABET.index(other)] = share
        found.append(values)
    return found


@pytest.mark.parametrize("name", SPECIMENS)
def test_examples_of_the_standard(name):
    zone = zone_of_text(SPECIMENS[name])
    assert (zone.format, zone.check_digits) == (name, CheckDigits.VALID)
    assert (zone.fields["surname"], zone.fields["given_names"]) == ("ERIKSSON", "ANNA MARIA")
    assert zone.fields["birth"] == ("400907" if name.startswith("MRV") else "740812")


def test_check_digit_of_the_standard():
    assert check_digit("520727") == "3"
    assert check_digit("AB2134<<<") == "5"


@pytest.mark.parametrize(("name", "check"), COVERED)
def test_a_wrong_check_digit_is_never_valid(name, check):
    lines = [list(line) for line in SPECIMENS[name]]
    row, column = check.digit
    for digit in "0123456789":
        if digit == SPECIMENS[name][row][column]:
            continue
        lines[row][column] = digit
        zone = zone_of_text(["".join(line) for line in lines])
        assert zone.check_digits is CheckDigits.UNSURE


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(COVERED), st.data())
def test_one_wrong_character_is_noticed_unless_its_value_differs_by_ten(case, data):
    name, check = case
    row, column = data.draw(st.sampled_from(check.places))
    right = SPECIMENS[name][row][column]
    wrong = data.draw(st.sampled_from(ALPHABET))
    lines = [line if r != row else line[:column] + wrong + line[column + 1 :] for r, line in enumerate(SPECIMENS[name])]
    zone = zone_of_text(lines)
    if check_digit(right) != check_digit(wrong):
        assert zone.check_digits is CheckDigits.UNSURE


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(COVERED), st.data())
def test_a_doubt_under_a_check_digit_is_repaired_and_never_wrong(case, data):
    name, check = case
    place = data.draw(st.sampled_from(check.places))
    right = SPECIMENS[name][place[0]][place[1]]
    wrong = data.draw(st.sampled_from([c for c in ALPHABET if c != right]))
    zone = zone_of_probabilities(beliefs(SPECIMENS[name], {place: {wrong: 0.6, right: 0.39}}))
    if zone.check_digits is not CheckDigits.UNSURE:
        assert zone.lines == SPECIMENS[name]
    if check_digit(right) != check_digit(wrong) and place in zone.doubtful:
        assert zone.check_digits is CheckDigits.REPAIRED


def test_values_that_differ_by_ten_are_not_guessed():
    lines = ("P<UTOERIKSSON<<ANNA<MARIA<<<<<<<<<<<<<<<<<<<", "G898902C38UTO7408122F1204159ZE184226B<<<<<1")
    number = "G898902C3"
    body = number + check_digit(number) + SPECIMENS["TD3"][1][10:43]
    line = body + check_digit(body[:10] + body[13:20] + body[21:43])
    assert zone_of_text((lines[0], line)).check_digits is CheckDigits.VALID
    zone = zone_of_probabilities(beliefs((lines[0], line), {(1, 0): {"G": 0.7, "6": 0.29}}))
    assert zone.check_digits is CheckDigits.UNSURE
    assert zone.doubtful == ((1, 0),)


def test_doubts_in_a_name_are_unsure():
    for place in ((0, 7), (0, 40), (0, 2), (1, 11)):
        right = SPECIMENS["TD3"][place[0]][place[1]]
        zone = zone_of_probabilities(beliefs(SPECIMENS["TD3"], {place: {right: 0.9, "X": 0.05}}))
        assert zone.check_digits is CheckDigits.UNSURE


def test_letters_where_dates_stand_are_repaired():
    zone = zone_of_probabilities(beliefs(SPECIMENS["TD3"], {(1, 16): {"B": 0.9, "8": 0.08}}))
    assert (zone.check_digits, zone.lines) == (CheckDigits.REPAIRED, SPECIMENS["TD3"])


def test_a_name_with_letters_among_fillers_is_unsure():
    line = SPECIMENS["TD3"][0][:-3] + "K<<"
    assert zone_of_text((line, SPECIMENS["TD3"][1])).check_digits is CheckDigits.UNSURE


@pytest.mark.parametrize("td", [TD1, TD2])
def test_numbers_longer_than_their_field(td):
    number = "D23145890734"
    lines = list(SPECIMENS[td.name])
    tail = number[9:] + check_digit(number)
    if td is TD1:
        lines[0] = "I<UTO" + number[:9] + "<" + tail.ljust(15, "<")
        covered = lines[0][5:30] + lines[1][:7] + lines[1][8:15] + lines[1][18:29]
        lines[1] = lines[1][:29] + check_digit(covered)
    else:
        body = number[:9] + "<" + lines[1][10:28] + tail.ljust(7, "<")
        lines[1] = body + check_digit(body[:10] + body[13:20] + body[21:35])
    zone = zone_of_text(lines)
    assert (zone.check_digits, zone.fields["number"]) == (CheckDigits.VALID, number)
    wrong = [line.replace("734", "743") for line in lines]
    assert zone_of_text(wrong).check_digits is CheckDigits.UNSURE


def test_lines_of_no_format_are_unsure():
    for lines in ((), ("",), ("P<UTO",), ("P" * 44,), ("P" * 44, "P" * 30), ("9" * 44, "9" * 44)):
        zone = zone_of_text(lines)
        assert (zone.format, zone.check_digits, zone.fields) == (None, CheckDigits.UNSURE, {})


def test_impossible_dates_are_unsure():
    body = "L898902C36UTO741312" + check_digit("741312") + SPECIMENS["TD3"][1][20:43]
    line = body + check_digit(body[:10] + body[13:20] + body[21:43])
    assert zone_of_text((SPECIMENS["TD3"][0], line)).check_digits is CheckDigits.UNSURE
    assert format_of((SPECIMENS["TD3"][0], line)) is TD3


def test_what_is_no_zone_is_refused():
    with pytest.raises(ParameterError, match="capital letters"):
        zone_of_text(["p<uto"])
    with pytest.raises(ParameterError, match="capital letters"):
        check_digit("É")
    with pytest.raises(ParameterError, match=r"line 1.*shape"):
        zone_of_probabilities([np.zeros((44, 36))])
    with pytest.raises(ParameterError, match="outside"):
        zone_of_probabilities([np.full((44, 37), np.nan)])
