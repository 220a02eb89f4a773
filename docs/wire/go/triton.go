package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	pb "score/inference"
)

// gRPC itself asks again where the server is full or away, and stops doing so while many requests fail.
const serviceConfig = `{
  "methodConfig": [
    {
      "name": [{ "service": "inference.GRPCInferenceService" }],
      "retryPolicy": {
        "maxAttempts": 5,
        "initialBackoff": "0.2s",
        "maxBackoff": "3s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"]
      }
    }
  ],
  "retryThrottling": { "maxTokens": 100, "tokenRatio": 0.1 }
}`

func readContract(triton pb.GRPCInferenceServiceClient, model string, deadline time.Duration) (*contract, error) {
	within, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	answer, err := triton.ModelConfig(within, &pb.ModelConfigRequest{Name: model})
	if err != nil {
		return nil, err
	}
	texts := map[string]string{}
	for key, parameter := range answer.GetConfig().GetParameters() {
		texts[key] = parameter.GetStringValue()
	}
	return parseContract(texts, model)
}

func logitsOf(
	pcm []byte, triton pb.GRPCInferenceServiceClient, model string, contract *contract, deadline time.Duration,
) ([]float64, error) {
	samples := len(pcm) / 2
	if samples < contract.ShortestWindowSamples || samples > contract.LongestWindowSamples {
		return nil, fmt.Errorf("the window has %d samples; %s takes %d to %d",
			samples, model, contract.ShortestWindowSamples, contract.LongestWindowSamples)
	}
	queueing := deadline.Microseconds() * 9 / 10
	if queueing < 1 {
		queueing = 1
	}
	within, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	answer, err := triton.ModelInfer(within, &pb.ModelInferRequest{
		ModelName:        model,
		Inputs:           []*pb.ModelInferRequest_InferInputTensor{{Name: "PCM", Datatype: "INT16", Shape: []int64{1, int64(samples)}}},
		Outputs:          []*pb.ModelInferRequest_InferRequestedOutputTensor{{Name: "LOGITS"}},
		RawInputContents: [][]byte{pcm},
		Parameters: map[string]*pb.InferParameter{
			"priority": int64Parameter(2),        // 1 live, 2 normal, 3 archive
			"timeout":  int64Parameter(queueing), // microseconds it may queue
		},
	})
	if err != nil {
		return nil, err
	}
	raw := answer.GetRawOutputContents()
	if len(raw) != 1 || len(raw[0]) != 4*len(contract.Labels) {
		return nil, fmt.Errorf("%s did not answer with %d logits", model, len(contract.Labels))
	}
	logits := make([]float64, len(contract.Labels))
	for index := range logits {
		logits[index] = float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[0][4*index:])))
		if math.IsNaN(logits[index]) || math.IsInf(logits[index], 0) {
			return nil, fmt.Errorf("%s answered %v where numbers were due", model, logits[index])
		}
	}
	return logits, nil
}

func int64Parameter(value int64) *pb.InferParameter {
	return &pb.InferParameter{ParameterChoice: &pb.InferParameter_Int64Param{Int64Param: value}}
}
