// Scores one window of speech, a 16 kHz mono 16-bit WAV file, and prints its stress level as JSON.
package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "score/inference"
)

var errUsage = errors.New("usage: score [-url localhost:8001] [-model stress] [-deadline 30] window.wav")

func main() {
	url := flag.String("url", "localhost:8001", "Triton's gRPC `address`")
	model := flag.String("model", "stress", "the model's `name`")
	deadline := flag.Float64("deadline", 30, "`seconds` a call may take, its retries included")
	flag.Parse()
	err := errUsage
	if flag.NArg() == 1 && *deadline > 0 {
		err = run(*url, *model, flag.Arg(0), time.Duration(*deadline*float64(time.Second)))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "score:", explain(err))
		os.Exit(1)
	}
}

func run(url, model, path string, deadline time.Duration) error {
	pcm, err := readWindow(path)
	if err != nil {
		return err
	}
	connection, err := connect(url)
	if err != nil {
		return err
	}
	defer connection.Close()
	triton := pb.NewGRPCInferenceServiceClient(connection)
	contract, err := readContract(triton, model, deadline)
	if err != nil {
		return err
	}
	logits, err := logitsOf(pcm, triton, model, contract, deadline)
	if err != nil {
		return err
	}
	emotions := contract.emotions(logits)
	level := contract.level(emotions)
	return json.NewEncoder(os.Stdout).Encode(struct {
		Level    float64            `json:"level"`
		Status   string             `json:"status"`
		Emotions map[string]float64 `json:"emotions"`
	}{level, contract.status(level), contract.byLabel(emotions)})
}

// explain says of a full queue that it is one: to gRPC it looks as if the server were away.
func explain(err error) error {
	answer, ok := status.FromError(err)
	if !ok || answer.Code() != codes.Unavailable {
		return err
	}
	message := strings.ToLower(answer.Message())
	for _, full := range []string{"exceeds maximum queue size", "request timeout expired"} {
		if strings.Contains(message, full) {
			return errors.New("overloaded: " + answer.Message())
		}
	}
	return err
}
