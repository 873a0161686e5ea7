"""What label sheets, their keys and the ratings that people export from them have in common."""

KEY_COLUMNS = ("sheet", "image", "caption", "key", "arm", "text")  # text: digest of the caption when the sheet was made
SCALES = ("faithful", "specific")
POINTS = 4  # ratings are 0 to 3
RATING_COLUMNS = ("sheet", "rater", "image", "caption", *SCALES, "preferred")
