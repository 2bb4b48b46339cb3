"""What the commands hand over: code to paste, `local_mixup.json`, and the words explained."""

from localmixup.lab.handover.recipe import RECIPE_FILE as RECIPE_FILE
from localmixup.lab.handover.recipe import write_recipe as write_recipe
from localmixup.lab.handover.snippets import FRAMEWORKS as FRAMEWORKS
from localmixup.lab.handover.snippets import snippet as snippet

__all__ = ["FRAMEWORKS", "RECIPE_FILE", "snippet", "write_recipe"]
