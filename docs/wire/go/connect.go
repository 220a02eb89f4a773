package main

import (
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// connect opens a connection to Triton at host:port. Keep it: goroutines may share it.
func connect(url string) (*grpc.ClientConn, error) {
	return grpc.NewClient(
		url,
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultServiceConfig(serviceConfig),
	)
}
