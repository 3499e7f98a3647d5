"""The seven emotion classes: their order, their colors, and the codes that the data sets use for them."""

EMOTIONS: tuple[str, ...] = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""Class names in the order of every model output, probability array and confusion matrix."""

# Okabe and Ito's palette (2008), told apart by the common forms of color blindness, and a gray dark enough not to be
# taken for its purple by those who see no green. sRGB, by class.
COLORS: dict[str, str] = {
    "anger": "#D55E00",
    "disgust": "#009E73",
    "fear": "#CC79A7",
    "happiness": "#E69F00",
    "neutral": "#666666",
    "sadness": "#0072B2",
    "surprise": "#56B4E9",
}

# Characters 5-6 of a KDEF file name, for example AF01ANS.JPG.
KDEF_EMOTIONS: dict[str, str] = {
    "AN": "anger",
    "DI": "disgust",
    "AF": "fear",
    "HA": "happiness",
    "NE": "neutral",
    "SA": "sadness",
    "SU": "surprise",
}

# The rest of a KDEF file name: full and half profiles, and straight.
KDEF_ANGLES: dict[str, str] = {
    "FL": "full left profile",
    "HL": "half left profile",
    "S": "straight",
    "HR": "half right profile",
    "FR": "full right profile",
}

# Folder names of RAF-DB's basic set.
RAF_DB_EMOTIONS: dict[str, str] = {
    "1": "surprise",
    "2": "fear",
    "3": "disgust",
    "4": "happiness",
    "5": "sadness",
    "6": "anger",
    "7": "neutral",
}

# Vote columns of FER+'s label.csv, in file order, after the file name and the box.
FER_PLUS_COLUMNS: tuple[str, ...] = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "not-a-face",
)
