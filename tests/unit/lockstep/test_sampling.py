"""What the sampled mode refuses."""

import pytest

from tb.lockstep.sampled import Sampling


@pytest.mark.parametrize(("window", "every"), [(0, 10), (10, 10), (11, 10), (-1, 10)])
def test_window_that_does_not_fit_into_its_stretch_is_refused(window: int, every: int) -> None:
    with pytest.raises(ValueError, match=f"a window of {window} ps in every {every} ps"):
        Sampling(window=window, every=every)
