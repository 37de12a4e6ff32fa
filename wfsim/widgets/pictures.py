"""`wf.picture`: the picture of whatever has one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wfsim.errors import WfsimError

if TYPE_CHECKING:
    from wfsim.drawing import Direction, Picture
    from wfsim.model.workflow import Workflow
    from wfsim.net.petri import PetriNet


def picture(of: Workflow | PetriNet, *, direction: Direction | None = None) -> Picture:
    """Draw a workflow or a Petri net.

    Parameters
    ----------
    of
        What to draw. `wfsim.model.picture` and `wfsim.net.picture` say how it looks and how its parts are named. Of
        a net with more than 300 nodes an overview is drawn, with one circle for all places of a state.
    direction
        `TB` downwards, `LR` to the right, `BT` upwards, `RL` to the left. By default `TB` for a workflow and `LR`
        for a net.

    Returns
    -------
    Picture
        It shows itself in a notebook; `to_svg`, `to_dict` (for JSON) and `to_text` give it to others.

    Raises
    ------
    WfsimError
        If it is neither.

    Examples
    --------
    >>> import wfsim as wf
    >>> wf.picture(wf.new("minimal"))
    Picture('minimal 1.0.0': 3 nodes, 2 edges)
    """
    from wfsim.model.workflow import Workflow
    from wfsim.net.petri import PetriNet

    if isinstance(of, Workflow):
        from wfsim.model.picture import picture as of_workflow

        return of_workflow(of, direction=direction or "TB")
    if isinstance(of, PetriNet):
        from wfsim.net.petri import MAX_DRAWN
        from wfsim.net.picture import overview
        from wfsim.net.picture import picture as of_net

        if len(of.places) + len(of.transitions) > MAX_DRAWN:
            return overview(of, direction=direction or "LR").picture
        return of_net(of, direction=direction or "LR")
    raise WfsimError(
        f"a {type(of).__name__} has no picture. Give a workflow or a Petri net; for a witness, a case or an instance "
        "open wf.Stepper(…), which draws where it is."
    )
