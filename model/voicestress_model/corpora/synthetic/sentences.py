"""What the synthetic speakers say: everyday statements that fit any mood, from three words to fourteen.

Training, development and held-out sentences share no sentence. Every class says every one of them, so words give no
class away. Training needs many: of a few dozen a model learns how long each of them takes, and hears pace in no other.
So most of its sentences are put together from parts, the same ones every time.
"""

from __future__ import annotations

import random

_WRITTEN = (
    "The bus stops at the corner.",
    "She put the keys on the table.",
    "The library opens at nine.",
    "He reads the paper in the morning.",
    "The river runs behind the school.",
    "My sister works in the other building.",
    "Please leave the box next to the door.",
    "The second page has a map of the town.",
    "The shop sells bread, milk and apples.",
    "The new printer is on the third floor.",
    "We bought two tickets for the afternoon.",
    "There is a bakery across from the station.",
    "The garden gate is closed during the winter.",
    "She will bring the papers on Monday morning.",
    "Our neighbour has a blue car and a bicycle.",
    "They keep the old maps in a wooden drawer.",
    "A small boat was tied to the end of the pier.",
    "The letter came in a plain white envelope.",
    "The number on the ticket is four hundred and twelve.",
    "He opened the window and sat down at the table.",
    "Most of the shelves in the office are half empty.",
    "The ferry crosses the bay three times every day.",
    "Her brother lives in a village north of the city.",
    "There was a list of names pinned to the board.",
    "I left the umbrella in the corner of the waiting room.",
    "The bottle on the left holds water, the other one oil.",
    "The teacher wrote three short words on the board.",
    "A man in a grey jacket was waiting near the entrance.",
    "The lamp on the desk gives enough light to read by.",
    "He told us the name of the street and the house number.",
    "Two of the windows look over the yard and the old wall.",
    "She counted the boxes and put the list in the folder.",
    "We could meet at the fountain and walk to the hall together.",
    "The phone is on the shelf between the radio and the lamp.",
    "Every second table in the room has a number and a small sign.",
    "The doctor's office is above the pharmacy, on the second floor.",
)

_WHO = (
    "He", "She", "My aunt", "The driver", "Our teacher", "A woman in a red hat", "Their youngest son",
    "The man next door", "One of the guests", "The girl from the bakery", "A friend of mine", "The old captain",
    "Nobody", "Somebody upstairs", "The new student", "Doctor Miller", "Peter", "Anna and her brother",
    "The two gardeners", "A group of tourists",
)  # fmt: skip
_DID = (
    "found a coin", "lost a glove", "carried three bags", "drew a picture of a horse", "asked for the price",
    "waited for an answer", "mended the fence", "read the instructions twice", "cooked rice and beans",
    "forgot the password", "took a photograph", "sang a little song", "talked about football", "cleaned the mirror",
    "sold a used camera", "ordered coffee", "counted the sheep", "looked for a pencil", "told a long story",
    "checked the oil", "wrapped a present", "watched the clouds", "moved a heavy sofa", "played cards", "fell asleep",
    "bought a ladder", "fed the chickens", "answered every question", "made a phone call", "spilled some juice",
)  # fmt: skip
_WHERE = (
    "in the kitchen", "on the bus", "under a big oak", "behind the stage", "at the airport", "near the fire station",
    "in front of the bank", "on a quiet street", "beside the swimming pool", "at my grandmother's house",
    "by the open window", "in the middle of the park", "across the border", "outside the courthouse", "on deck",
    "between two rows of corn", "in a hotel lobby", "over the phone", "up on the hill", "at work",
)  # fmt: skip
_WHEN = (
    "yesterday", "before breakfast", "around midnight", "on Sunday", "at twenty past five", "during the holidays",
    "in early April", "after the storm", "the other day", "as usual", "for nearly an hour", "again", "last summer",
    "while it snowed", "without a word", "in nineteen ninety", "just in time", "every evening",
)  # fmt: skip
_THINGS = (
    "The ticket", "This chair", "The green bottle", "Her bicycle", "The engine of the car", "Our kitchen table",
    "The third drawer", "That jacket", "The map on the wall", "His telephone", "The left shoe",
    "A slice of lemon cake", "The soup of the day", "The price of a room", "Their front garden",
    "The sound of the bell", "The last chapter", "My cup", "The yellow house", "The carpet",
)  # fmt: skip
_ARE = (
    "is made of wood", "costs forty dollars", "was cheaper than I thought", "needs to be washed",
    "has a strange smell", "belongs to the hotel", "was bought in Italy", "is a bit too large",
    "must have been very old", "is not far from here", "looks better in blue", "was covered with dust",
    "is exactly what we need", "comes with a small key", "has been there for years", "was different",
    "should be ready", "is easy to forget", "was never finished", "is full",
)  # fmt: skip
_COMPOSED = 480


def _compose(rng: random.Random) -> str:
    kind = rng.randrange(5)
    if kind == 0:
        return f"{rng.choice(_THINGS)} {rng.choice(_ARE)}."
    if kind == 1:
        return f"{rng.choice(_WHO)} {rng.choice(_DID)} {rng.choice(_WHERE)}."
    if kind == 2:
        return f"{rng.choice(_WHO)} {rng.choice(_DID)} {rng.choice(_WHEN)}."
    if kind == 3:
        when = rng.choice(_WHEN)
        return f"{when[0].upper()}{when[1:]}, {_lowered(rng.choice(_THINGS))} {rng.choice(_ARE)}."
    return f"{rng.choice(_WHO)} {rng.choice(_DID)} {rng.choice(_WHERE)} {rng.choice(_WHEN)}."


def _lowered(subject: str) -> str:
    return subject[0].lower() + subject[1:]


def _composed(count: int) -> tuple[str, ...]:
    rng = random.Random(0)  # noqa: S311 - nothing is to be kept secret
    sentences: dict[str, None] = {}
    while len(sentences) < count:
        sentences[_compose(rng)] = None
    return tuple(sentences)


TRAINING_SENTENCES = _WRITTEN + _composed(_COMPOSED)

DEVELOPMENT_SENTENCES = (
    "There are six chairs in the room.",
    "They painted the door green last year.",
    "I usually take the train on Thursdays.",
    "The cat sleeps on the chair by the stove.",
    "The road turns left after the stone bridge.",
    "You can leave your coat on the hook in the hall.",
    "The report has eleven pages and two short tables.",
    "The clock above the door is a few minutes slow.",
    "They are going to repair the roof before the summer.",
    "The first part of the book is about the history of glass.",
    "The parcel should be at the desk before noon tomorrow.",
    "It was a Tuesday in October and the market was open.",
    "We moved the desk to the window.",
    "The meeting is in the room upstairs.",
    "It takes an hour to walk to the lake.",
    "He wrote the number on the back of the card.",
    "The lecture begins ten minutes after four.",
    "I think the museum has a cafe on the ground floor.",
    "We changed the date because the hall was not free.",
    "The children walk to school along the canal.",
    "Turn right at the lights and go on to the next square.",
    "The water in the pool is changed at the end of the month.",
    "The path goes around the field and back to the village.",
    "They said the package would arrive by the end of the week.",
)

HELD_OUT_SENTENCES = (
    "The kitchen is on the left.",
    "He closed the book at page thirty.",
    "The concert was on a Saturday.",
    "There is some tea in the cupboard.",
    "The train to the coast leaves at eight.",
    "I met her cousin at the post office.",
    "The jacket has two pockets and a hood.",
    "Someone left a scarf on the back seat.",
    "The hotel is about a mile from the airport.",
    "They planted a row of trees along the road.",
    "The answer is written at the bottom of the sheet.",
    "We had soup and a piece of bread for lunch.",
    "A picture of the harbour hangs over the sofa.",
    "The yellow folder is for invoices from last month.",
    "She said the key was under the pot by the steps.",
    "The elevator stops at the first and the fifth floor.",
    "It has been raining in the valley since the weekend.",
    "The manager sent a message about the new timetable.",
    "You will find the forms in the drawer under the screen.",
    "The engine makes the same sound when it is switched off.",
    "My uncle used to build furniture in a shed near the farm.",
    "The film starts at half past seven and lasts two hours.",
    "They carried the piano through the hall and up the stairs.",
    "The last bus from the square goes a little before midnight.",
)
