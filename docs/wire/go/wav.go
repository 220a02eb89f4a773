package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
)

// One channel of 16-bit PCM at 16 kHz: format, channels, rate, bytes a second, bytes a sample, bits.
var readable = []byte{1, 0, 1, 0, 0x80, 0x3e, 0, 0, 0, 0x7d, 0, 0, 2, 0, 16, 0}

// readWindow returns the samples of a WAV file, 16-bit little-endian as they go over the wire.
func readWindow(path string) ([]byte, error) {
	file, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	refusal := fmt.Errorf("%s: not a 16 kHz mono 16-bit WAV file", path)
	if len(file) < 12 || string(file[:4]) != "RIFF" || string(file[8:12]) != "WAVE" {
		return nil, refusal
	}
	understood := false
	for at := 12; at+8 <= len(file); {
		name, size := string(file[at:at+4]), int(binary.LittleEndian.Uint32(file[at+4:]))
		end := at + 8 + size
		if end > len(file) {
			end = len(file)
		}
		body := file[at+8 : end]
		if name == "fmt " {
			understood = bytes.HasPrefix(body, readable)
		}
		if name == "data" && understood {
			return body[:len(body)&^1], nil
		}
		at += 8 + size + size%2
	}
	return nil, refusal
}
