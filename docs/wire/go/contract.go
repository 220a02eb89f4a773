package main

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
)

const (
	labelWeights   = "label_weights"
	arousalValence = "arousal_valence"
)

// contract is what a stress model says of itself.
type contract struct {
	Version               int       `json:"contract_version"`
	Labels                []string  `json:"labels"`
	Policy                string    `json:"policy"`
	LabelWeights          []float64 `json:"label_weights"`
	Temperature           float64   `json:"temperature"`
	StatusThreshold       float64   `json:"status_threshold"`
	ShortestWindowSamples int       `json:"shortest_window_samples"`
	LongestWindowSamples  int       `json:"longest_window_samples"`
}

// parseContract reads a model's stress_ parameters, each of which is one JSON value.
func parseContract(parameters map[string]string, model string) (*contract, error) {
	values := map[string]json.RawMessage{}
	for key, text := range parameters {
		if strings.HasPrefix(key, "stress_") {
			values[strings.TrimPrefix(key, "stress_")] = json.RawMessage(text)
		}
	}
	joined, err := json.Marshal(values)
	if err != nil {
		return nil, err
	}
	read := &contract{}
	if err := json.Unmarshal(joined, read); err != nil {
		return nil, err
	}
	if read.Version != 1 || (read.Policy != labelWeights && read.Policy != arousalValence) {
		return nil, fmt.Errorf("%s is not a stress model this program can read", model)
	}
	return read, nil
}

func (c *contract) emotions(logits []float64) []float64 {
	if c.Policy == arousalValence {
		return logits // about 0 to 1 each, and no probabilities
	}
	largest := math.Inf(-1)
	for _, logit := range logits {
		largest = math.Max(largest, logit)
	}
	sum := 0.0
	emotions := make([]float64, len(logits))
	for index, logit := range logits {
		emotions[index] = math.Exp((logit - largest) / c.Temperature)
		sum += emotions[index]
	}
	for index := range emotions {
		emotions[index] /= sum
	}
	return emotions
}

func (c *contract) level(emotions []float64) float64 {
	level := 0.0
	if c.Policy == arousalValence {
		named := c.byLabel(emotions)
		level = 100 * named["arousal"] * (1 - named["valence"])
	} else {
		for index, emotion := range emotions {
			level += 100 * c.LabelWeights[index] * emotion
		}
	}
	return math.Min(100, math.Max(0, level))
}

func (c *contract) status(level float64) string {
	if level > c.StatusThreshold {
		return "High"
	}
	return "Normal"
}

func (c *contract) byLabel(emotions []float64) map[string]float64 {
	named := map[string]float64{}
	for index, label := range c.Labels {
		named[label] = emotions[index]
	}
	return named
}
