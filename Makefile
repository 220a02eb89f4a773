# Each target does all of its own set-up. On a machine that has nothing, start with `make demo`.
SHELL := /bin/sh
DEMO := .venv/demo
DEV := .venv/dev
GATEWAY := .venv/gateway
LOAD := .venv/load
# What somebody would serve with instead; MLServer goes with none of the others.
PEERS := .venv/peers .venv/mlserver
# Helm, Kubernetes' schemas, Envoy, promtool; checkov pins too much to share an environment.
CHART := .venv/chart
CHECKOV := .venv/checkov
# What the synthetic corpus is spoken by.
VOICES := espeak-ng flite festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts
# What the Go program of docs/wire is built with: Debian's own grpc-go, without modules.
GO := golang-go golang-google-grpc-dev golang-github-golang-protobuf-1-5-dev protoc-gen-go-1-5 protoc-gen-go-grpc
# The microphone's library, for `voicestress listen`.
MICROPHONE := libportaudio2
# What the gateway's page is tested in.
BROWSER := chromium
DEMO_MODEL := model/voicestress-demo
# On two cores, two processes of one thread are faster than one process of two.
TRAIN = ACCELERATE_USE_CPU=true OMP_NUM_THREADS=1 $(DEV)/bin/torchrun --standalone --nproc-per-node 2 -m voicestress train
SOURCES := client preprocess gateway model deploy load_tests tests

# ONNX Runtime reports usage to its makers unless it is told not to.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help demo gateway load test chart lint format bench demo-model export-demo demo-chance clean

help:
	@echo 'make demo        start Triton, score a recording, print the report (no torch; about a minute)'
	@echo 'make gateway     start Triton and the HTTP gateway, and print the address of its page; Ctrl-C stops both'
	@echo 'make load        find the highest rate that the demo model takes here, and write a report (three minutes)'
	@echo 'make test        install everything and run the checks and tests'
	@echo 'make chart       check the Helm chart, the images and the alerts with the tools that will run them'
	@echo 'make bench       measure every figure the README quotes'
	@echo 'make demo-model  synthesise its corpus, train, export and evaluate the demo model (an hour and a quarter)'
	@echo 'make export-demo export the demo model again, for all that model_repository serves (a minute)'
	@echo 'make demo-chance the same on shuffled labels, which must end at guessing (an hour)'
	@echo 'make format      format the code and mend what ruff can'
	@echo 'make clean       remove the environments'

demo: $(DEMO)/.ready
	@$(DEMO)/bin/python deploy/local/demo.py

gateway: $(GATEWAY)/.ready
	@$(GATEWAY)/bin/python deploy/local/gateway.py

load: $(LOAD)/.ready
	@$(LOAD)/bin/python deploy/local/load.py

test: lint
	$(DEV)/bin/python -m pytest -m 'not slow and not chart'

chart: $(CHART)/.ready
	$(CHART)/bin/python -m pytest -m 'chart and not slow' tests/deploy/chart

lint: $(DEV)/.ready
	$(DEV)/bin/ruff check $(SOURCES)
	$(DEV)/bin/ruff format --check $(SOURCES)
	$(DEV)/bin/mypy

# The trained model of model_repository, from nothing; about an hour and a quarter on two cores.
demo-model: $(DEV)/.ready build/corpus/demo/manifest.csv
	test ! -f build/demo-model/training.json || rm -r build/demo-model
	$(TRAIN) demo
	mkdir -p $(DEMO_MODEL)
	cp build/demo-model/*.json build/demo-model/model.safetensors $(DEMO_MODEL)
	$(MAKE) export-demo
	$(DEV)/bin/voicestress evaluate $(DEMO_MODEL) build/corpus/demo/manifest.csv --out $(DEMO_MODEL)/evaluation
	$(DEV)/bin/python -m voicestress_model.evaluation.card MODEL_CARD.md $(DEMO_MODEL)/evaluation/report.json \
		--training $(DEMO_MODEL)/training.json

# What model_repository serves, from the trained demo model: ONNX, with fp16 for GPUs beside it, and TorchScript.
export-demo: $(DEV)/.ready
	$(DEV)/bin/voicestress export $(DEMO_MODEL) --precision fp16 --calibration tests/data/jfk.wav \
		--out model_repository/stress
	$(DEV)/bin/voicestress export $(DEMO_MODEL) --format torchscript --out model_repository/stress_torchscript

# The same on shuffled labels: a model that still beat guessing would have found what gives them away. Five shuffles,
# for one may be lucky; without the frames' tracks, which know no label and take minutes to measure.
SHUFFLES := $(addprefix build/demo-chance/,1 2 3 4 5)
demo-chance: $(SHUFFLES:=/evaluation/report.json)
	for run in $(SHUFFLES); do cp $$run/evaluation/report.json $(DEMO_MODEL)/evaluation/chance-$${run##*/}.json; done
	$(DEV)/bin/python -m voicestress_model.evaluation.card MODEL_CARD.md $(DEMO_MODEL)/evaluation/report.json --chance $^

build/demo-chance/%/evaluation/report.json: build/corpus/demo/manifest.csv | $(DEV)/.ready
	rm -rf build/demo-chance/$*
	$(TRAIN) demo --set corpus.shuffle_labels=true --set seed=$* --set epochs=2 --set auxiliary.tracks=false \
		--set out=build/demo-chance/$*
	$(DEV)/bin/voicestress evaluate build/demo-chance/$* $< --robustness-utterances 0 --out $(@D)

build/corpus/demo/manifest.csv: $(wildcard model/voicestress_model/corpora/synthetic/*.py) | $(DEV)/.ready
	rm -rf build/corpus/demo
	$(DEV)/bin/voicestress corpus synthesize --out build/corpus/demo

bench: $(DEV)/.ready $(PEERS:=/.ready)
	$(DEV)/bin/python -m load_tests.bench.proof
	$(DEV)/bin/python -m load_tests.bench.client_path build/bench/fp32 --archive build/bench/archive
	$(DEV)/bin/python -m load_tests.bench.client_path model_repository
	$(DEV)/bin/python -m pytest -m slow

format: $(DEV)/.ready
	$(DEV)/bin/ruff check --fix $(SOURCES)
	$(DEV)/bin/ruff format $(SOURCES)

clean:
	rm -rf .venv

$(DEMO)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(DEMO) local

$(GATEWAY)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(GATEWAY) local,gateway,codecs

$(LOAD)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(LOAD) local,load

$(DEV)/.ready: pyproject.toml deploy/local/environment.sh
	@sh deploy/local/environment.sh $(DEV) local,model,train,gateway,load,dev $(VOICES) $(GO) $(MICROPHONE) $(BROWSER)

$(PEERS:=/.ready): .venv/%/.ready: load_tests/peers/requirements-%.txt load_tests/peers/environment.sh | $(DEV)/.ready
	@sh load_tests/peers/environment.sh $(@D) $< $(DEV)

$(CHART)/.ready: $(wildcard tests/deploy/chart/tools/*) | $(DEV)/.ready
	@sh tests/deploy/chart/tools/environment.sh $(CHART) $(CHECKOV) $(DEV)
