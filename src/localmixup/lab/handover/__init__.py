"""What the commands hand over: code to paste, `local_mixup.json`, and the words explained."""

from localmixup.lab.handover.glossary import Term as Term
from localmixup.lab.handover.glossary import glossary_page as glossary_page
from localmixup.lab.handover.glossary import terms_of as terms_of
from localmixup.lab.handover.recipe import INSPECTED_FILE as INSPECTED_FILE
from localmixup.lab.handover.recipe import RECIPE_FILE as RECIPE_FILE
from localmixup.lab.handover.recipe import write_recipe as write_recipe
from localmixup.lab.handover.snippets import FRAMEWORKS as FRAMEWORKS
from localmixup.lab.handover.snippets import snippet as snippet

__all__ = [
    "FRAMEWORKS", "INSPECTED_FILE", "RECIPE_FILE", "Term", "glossary_page", "snippet", "terms_of", "write_recipe",
]  # fmt: skip
