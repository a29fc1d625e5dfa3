"""Where the code lives that constructs package: they point at it by path and never import it."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAMBDA_SRC = ROOT / "lambda_src"
STOREFRONT = ROOT / "storefront"
LAMBDA_LIBRARIES = LAMBDA_SRC / "requirements.txt"
PICTURE_LIBRARIES = LAMBDA_SRC / "layers" / "pictures" / "requirements.txt"
CERTIFICATES = ROOT / "certs" / "rds-global-bundle.pem"
MENU_FILE = STOREFRONT / "menu" / "menu.json"
MENU_PICTURES = STOREFRONT / "menu" / "pictures"

NOT_CODE = ("**/__pycache__", "**/*.pyc", "**/.DS_Store")
"""What no asset contains, in the syntax of .gitignore."""

SHOP_CODE_ONLY = (
    "*",
    "!requirements.txt",
    "!certs",
    "!certs/**",
    "!shop",
    "!shop/**",
    "!web",
    "!web/**",
    *NOT_CODE,
)
"""Everything of `storefront/` but what the shop needs to run, as its .dockerignore says it for the image: a new picture
goes to the bucket and restarts nothing."""
