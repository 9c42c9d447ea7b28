"""Tables of secure parameters, and that each is met wherever it is asked for."""

import pytest

pytest.importorskip("tenseal")

from privis.errors import ParameterError, UnsupportedError
from privis.program import Input, trace
from privis.run.he.backends.seal import ring
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.compiler.parameters import most_levels
from privis.run.he.engine import DEGREES, Parameters
from privis.run.he.executor import CKKS
from privis.run.he.matching.matching_specification import PARAMETERS
from privis.run.he.packing.batching import Batching
from privis.run.he.security import SecretDistribution, SecurityStandard, largest_modulus, sentence, standards_met

EARLIER, LATER = SecurityStandard
TERNARY, GAUSSIAN = SecretDistribution


def chain(levels):
    """A program of about ``levels`` levels."""

    def network(x):
        made = x
        for _ in range(levels):
            made = made * x
        return made

    return trace(network, Input((4,), -1.0, 1.0, None))


@pytest.mark.parametrize("secret", SecretDistribution)
def test_later_estimates_allow_less_and_a_ring_twice_as_large_about_twice_as_much(secret):
    for degree in (1024, 2048, *DEGREES):
        earlier, later = (largest_modulus(standard, secret)[degree] for standard in SecurityStandard)
        assert 1 <= earlier - later <= 13, degree
        assert largest_modulus(LATER, TERNARY)[degree] == largest_modulus(LATER, GAUSSIAN)[degree] - 2
    for standard in SecurityStandard:
        table = largest_modulus(standard, secret)
        for degree in table:
            if 2 * degree in table:
                assert 1.93 < table[2 * degree] / table[degree] < 2.08, degree


def test_the_library_takes_all_that_the_earlier_table_allows_and_nothing_more():
    import tenseal.sealapi as seal

    for degree in DEGREES:
        assert seal.CoeffModulus.MaxBitCount(degree, seal.SEC_LEVEL_TYPE.TC128) == largest_modulus(EARLIER)[degree]
    assert ring(Parameters(8192, (60, 58, 50, 50))).parameters.standards == (EARLIER,)
    with pytest.raises(ParameterError, match="at most 218 bits together for 128-bit security"):
        Parameters(8192, (60, 59, 50, 50))


def test_what_is_said_of_parameters_names_every_table():
    assert standards_met(8192, 214) == (EARLIER, LATER)
    assert sentence(8192, 215) == (
        "ring 8,192, 215 bits: 128-bit secure by the standard of 2018, not by the guidelines of 2024 (214 bits)"
    )
    assert sentence(8192, 300) == "ring 8,192, 300 bits: less than 128-bit secure"
    assert Parameters(16384, (60, 40, 60)).security.endswith("the standard of 2018 and the guidelines of 2024")


def test_matching_meets_every_table():
    assert PARAMETERS.standards == (EARLIER, LATER)


@pytest.mark.parametrize("batching", Batching)
def test_plans_meet_the_table_that_is_asked_for(batching):
    beyond = 0
    for levels in (1, 3, 5, 8, 11):
        for standard in SecurityStandard:
            options = Options(1e-2, standard=standard, batching=batching, inside=True)
            parameters = compile_program(chain(levels), options).spec.parameters
            assert standard in parameters.standards
            beyond += LATER not in parameters.standards
    assert beyond, "some plan uses what only the earlier table allows"


def test_the_deepest_program_of_the_earlier_table_is_refused_by_the_later_one():
    assert (most_levels(EARLIER), most_levels(LATER)) == (29, 28)
    with pytest.raises(UnsupportedError, match=r"at most 28: 868 bits are 128-bit secure by the guidelines of 2024"):
        compile_program(chain(40), Options(0.1, standard=LATER))


def test_an_executor_chooses_and_is_another_one_then():
    from privis.identity import identity

    program = chain(5)
    assert LATER in CKKS(1e-2, standard=LATER).compiled(program).spec.parameters.standards
    with pytest.raises(ParameterError, match=r"CKKS.standard: got '2024'"):
        CKKS(standard="2024")
    assert identity(CKKS(standard=EARLIER)) != identity(CKKS(standard=LATER))
    assert identity(CKKS(standard=EARLIER)) in (identity(CKKS()), identity(CKKS(standard=EARLIER)))
