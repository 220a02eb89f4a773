"""The report's plain words: what the score is not, how to read each picture, and how each figure is defined."""

from __future__ import annotations

from voicestress_model.evaluation.bootstrap import DRAWS, FEWEST_SPEAKERS

WHAT_IT_IS_NOT = (
    "The stress level says how much a voice resembles the recordings that one corpus calls anxious. It is not a "
    "measurement of stress, emotion, truthfulness or health, and no diagnosis follows from it.",
    "Vocal stress is a weak and disputed signal: pitch rises under stress in most people and falls in about a quarter. "
    "A figure below holds for this corpus, its speakers and its recordings. Other people, languages, microphones and "
    "situations need an evaluation of their own.",
    "Inferring the emotions of people at work or in education is prohibited in the European Union, save for medical or "
    "safety reasons (AI Act, Art. 5(1)(f)); elsewhere, too, people must be told (Art. 50(3)).",
)
RANDOM_WEIGHTS = "Nobody trained this model: its weights are random, and its levels mean nothing."
SYNTHETIC = (
    "The speech is synthetic. A high figure shows that the model hears the manipulation, not that it hears stress."
)
TUNED = "This split chose the checkpoint and fitted its temperature, so its figures flatter."
WHOLE = (
    "The corpus has no splits: if the model was trained on it, its figures say nothing. A training run writes the "
    "splits it drew to corpus.csv in its checkpoint; evaluate that."
)
TRAINED = "The model was trained on this split, so its figures say nothing about new speakers."

HOW_TO_READ = {
    "overview": "Each dot is a tier's UAR, each bar its 95 % interval over speakers; further right is better. Where "
    "the model's bar overlaps that of the prosody features, the model may hear no more than simple measures of "
    "pitch, pace and loudness tell. It does not show which labels are confused, nor whether probabilities can be "
    "believed.",
    "confusion": "A row is a true label, a column the model's answer; a row adds up to 100 %. Good is a strong "
    "diagonal. It does not show how sure the model was, nor whether a few speakers make all the errors.",
    "reliability": "Of the utterances with a certain confidence, the bar tells how many were right; on the dashed line "
    "confidence can be taken at its word. The red stroke is the gap: above the line the model is too modest, below it "
    "too sure. Below stands how many utterances a bar rests on; few make a bar jump. A calibrated model can "
    "still be a poor one: this shows honesty, not skill.",
    "levels": "How often each level was given to utterances of a label. The dot is the median, the thick line the "
    "middle half. Good are panels that hardly overlap. The heights of different panels can't be compared, and the "
    "place on the scale has no meaning beyond the label weights that somebody chose.",
    "speakers": "One line a speaker, the worst at the bottom. A wide spread means that the score above is an average "
    "over people it fits and people it does not. With few utterances a speaker, much of the spread is chance.",
    "robustness": "Above, UAR; below, by how many of 100 points the level of the same utterance moves on average. Good "
    "is a flat line on top and little below. A level that moves by more than the classes are apart can't be compared "
    "between recordings of different quality. Real lines and rooms do more than this: echo, packet loss, several "
    "distortions at once.",
}

DEFINITIONS = {
    "UAR": "Unweighted average recall: the mean, over the labels, of the share of their utterances that were "
    "recognised (Schuller et al. 2009, The INTERSPEECH 2009 Emotion Challenge).",
    "Macro-F1": "The mean over the labels of 2 TP / (2 TP + FP + FN).",
    "95 % interval": f"Percentiles 2.5 and 97.5 of {DRAWS} bootstrap resamples of whole speakers (Davison and Hinkley "
    "1997, Bootstrap Methods and their Application, 3.8); of single utterances, which is too optimistic, where there "
    f"are fewer than {FEWEST_SPEAKERS} speakers. With a dozen speakers or fewer the true intervals are wider.",
    "Calibration error": "Expected calibration error of the top label: 15 bins of equal width, Σ |B| / n · "
    "|accuracy(B) - confidence(B)| (Guo et al. 2017, On Calibration of Modern Neural Networks, eq. 3). In brackets: "
    "what a perfectly calibrated model with the same confidences would score on average, given so few utterances.",
    "Temperature": "The logits are divided by it before softmax. Before is 1, after is the one stored with the model.",
    "Level AUC": "The chance that an utterance of the label that counts most towards stress gets a higher level than "
    "one of the label that counts least. 0.5 is guessing, 1 is perfect.",
    "Prosody features": "Logistic regression on hand-made features, fitted on the corpus' train split.",
    "Ceiling": "Gradient-boosted trees that are told the true manipulation parameters and fitted on the train split: "
    "about how well anybody could tell classes whose parameter ranges overlap. Where a tier is made with another tool, "
    "its parameters act differently, and a model that listens may pass the ceiling.",
    "Noise": "Scaled so that the ratio of the whole clip's power, its pauses included, to that of the noise is the one "
    "named. White noise is Gaussian; babble is five utterances of other speakers in this corpus at once.",
    "Telephone, Opus, MP3": "8 kHz, 300 to 3400 Hz, mu-law (G.711); Opus at about 16 kbit/s; MP3 at 32 kbit/s. Encoded "
    "in memory and decoded like any other recording.",
}
