"""Features of a caption's wording, and the word lists behind them. English, like RedCaps."""

import re

SHORT_WORDS = 4  # captions with fewer words are short: their language is a guess
WORD = re.compile(r"\w+(?:['’]\w+)*")
HASHTAG = re.compile(r"(?<![\w&/])#\w*[^\W\d_]\w*")
URL = re.compile(  # for a bare host only its last letter, so that no word is searched twice
    r"https?://|www\.|\w-*+\.(?:com|org|net|edu|gov|io|co|uk|de|ca|be|it|gg|tv|ly)\b(?!\.)", re.IGNORECASE
)

_FIRST_PERSON = "i me my mine myself we us our ours ourselves i'm i've i'd i'll im ive we're we've we'd we'll"

# Words that titles on Reddit have whatever the image shows, some for people among them. A caption is vague when all of
# its words are among these, are numbers, or are English fragments of one or two letters. A word in no list counts as
# naming something.
_FUNCTION_WORDS = """
    a about above across after again against all almost along already also although always am among an and another
    any anyone anything are aren't around as at away back be because been before behind being below beside between
    both but by can can't cannot could couldn't did didn't do does doesn't doing don't done down during each either
    else enough even ever every everyone everything far few first finally for from further get gets getting got had
    hadn't has hasn't have haven't having he her here here's hers herself him himself his how how's however if in
    instead into is isn't it it'll it's its itself just last least less let let's like little lot lots made make
    makes making many may maybe might mine more most much must need needs never new next no nobody none nor not
    nothing now of off often oh ok okay old on once one ones only onto or other others ought out over own perhaps
    put quite rather really same second see seen several shall she she's should shouldn't since so some somebody
    someone something sometimes somewhere soon still such take taken takes taking than thank thanks that that's the
    their theirs them themselves then there there's these they they're they've thing things third this those though
    through thru till to today together tomorrow tonight too took toward towards try trying two under until up upon
    use used using very want wanted was wasn't way well went were weren't what what's whatever when where where's
    whether which while who who's whole whom whose why will with within without won't would wouldn't yeah yes
    yesterday yet you you'll you're you've your yours yourself
"""
_EMPTY_WORDS = """
    absolutely amazing anybody awesome awful bad beautiful beauty beauties best better big bit boy boys came caption
    check come comes coming cool crazy cute day days definitely enjoy everybody excited fav favorite favourite feel
    feeling finished found fun funny gift girl girls give go goes going gonna good gorgeous great guess guy guys
    happy hello help hey hi hope hoping image incredible interesting job keep kind know lady literally long look
    looked looking looks love loved lovely loves lucky man me mom moment month months morning name nice night oc op
    opinion opinions perfect photo photos pic pics picture pictures please post posted posting pretty proud question
    quick reddit ready right said saw say says share sharing shot show showing simple small sorry special start
    started stuff sub sure surprise sweet tell think thinking thought thoughts time times title turned ugly
    unexpected update view weird welcome week weekend weeks woman wonderful work worked working worth wow wrong year
    years
"""

FIRST_PERSON = frozenset(_FIRST_PERSON.split())
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
EMPTY_WORDS = frozenset(_EMPTY_WORDS.split())


def words_of(caption: str) -> list[str]:
    """The words of a caption in lower case, with all apostrophes made straight."""
    return [word.lower().replace("’", "'") for word in WORD.findall(caption)]


def is_vague(words: list[str]) -> bool:
    """Whether no word names anything: see ``FUNCTION_WORDS``. An empty caption is vague."""
    return not any(is_content(word) for word in words)


def is_first_person(caption: str) -> bool:
    """Whether the caption is in the first person; US in capitals is a country."""
    return any(word != "US" and word.lower().replace("’", "'") in FIRST_PERSON for word in WORD.findall(caption))


def is_content(word: str) -> bool:
    """Whether a word in lower case names something: it is in none of the lists and is not just a number or fragment."""
    if word in FUNCTION_WORDS or word in EMPTY_WORDS or word in FIRST_PERSON:
        return False
    letters = [letter for letter in word if letter.isalpha()]
    return bool(letters) and (len(letters) > 2 or not word.isascii())
