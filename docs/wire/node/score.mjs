// Scores one window of speech, a 16 kHz mono 16-bit WAV file, and prints its stress level as JSON.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

import grpc from "@grpc/grpc-js";
import protoLoader from "@grpc/proto-loader";

const USAGE = "usage: node score.mjs [--url localhost:8001] [--model stress] [--deadline 30] window.wav";
const PROTO = fileURLToPath(new URL("../inference.proto", import.meta.url));
const POLICIES = ["label_weights", "arousal_valence"];
const FULL = /exceeds maximum queue size|request timeout expired/i;

// gRPC itself asks again where the server is full or away, and stops doing so while many requests fail.
const SERVICE_CONFIG = {
  methodConfig: [
    {
      name: [{ service: "inference.GRPCInferenceService" }],
      retryPolicy: {
        maxAttempts: 5,
        initialBackoff: "0.2s",
        maxBackoff: "3s",
        backoffMultiplier: 2,
        retryableStatusCodes: ["UNAVAILABLE"],
      },
    },
  ],
  retryThrottling: { maxTokens: 100, tokenRatio: 0.1 },
};

function connect(url) {
  const definition = protoLoader.loadSync(PROTO, { keepCase: true, longs: Number, defaults: true });
  const { inference } = grpc.loadPackageDefinition(definition);
  return new inference.GRPCInferenceService(url, grpc.credentials.createInsecure(), {
    "grpc.service_config": JSON.stringify(SERVICE_CONFIG),
  });
}

function call(triton, method, request, deadlineS) {
  return new Promise((resolve, reject) => {
    const deadline = Date.now() + 1000 * deadlineS;
    triton[method](request, { deadline }, (error, answer) => (error ? reject(error) : resolve(answer)));
  });
}

async function readContract(triton, model, deadlineS) {
  const { config } = await call(triton, "ModelConfig", { name: model }, deadlineS);
  const contract = {};
  for (const [key, { string_value }] of Object.entries(config.parameters)) {
    if (key.startsWith("stress_")) contract[key.slice("stress_".length)] = JSON.parse(string_value);
  }
  if (contract.contract_version !== 1 || !POLICIES.includes(contract.policy)) {
    throw new Error(`${model} is not a stress model this program can read`);
  }
  return contract;
}

async function logitsOf(pcm, triton, model, contract, deadlineS) {
  const samples = pcm.length / 2;
  const { labels, shortest_window_samples: shortest, longest_window_samples: longest } = contract;
  if (samples < shortest || samples > longest) {
    throw new Error(`the window has ${samples} samples; ${model} takes ${shortest} to ${longest}`);
  }
  const request = {
    model_name: model,
    inputs: [{ name: "PCM", datatype: "INT16", shape: [1, samples] }],
    outputs: [{ name: "LOGITS" }],
    raw_input_contents: [pcm],
    parameters: {
      priority: { int64_param: 2 }, // 1 live, 2 normal, 3 archive
      timeout: { int64_param: Math.max(1, Math.round(0.9e6 * deadlineS)) }, // microseconds it may queue
    },
  };
  const { raw_output_contents: [raw] } = await call(triton, "ModelInfer", request, deadlineS);
  const logits = Array.from({ length: raw.length / 4 }, (_, index) => raw.readFloatLE(4 * index));
  if (logits.length !== labels.length || !logits.every(Number.isFinite)) {
    throw new Error(`${model} answered [${logits}] where ${labels.length} logits were due`);
  }
  return logits;
}

function emotionsOf(logits, { policy, temperature }) {
  if (policy === "arousal_valence") return logits; // about 0 to 1 each, and no probabilities
  const scaled = logits.map((logit) => logit / temperature);
  const largest = Math.max(...scaled);
  const exponentials = scaled.map((value) => Math.exp(value - largest));
  const sum = exponentials.reduce((total, value) => total + value, 0);
  return exponentials.map((value) => value / sum);
}

function levelOf(emotions, { policy, labels, label_weights }) {
  const of = (label) => emotions[labels.indexOf(label)];
  const level =
    policy === "arousal_valence"
      ? 100 * of("arousal") * (1 - of("valence"))
      : 100 * emotions.reduce((total, emotion, index) => total + label_weights[index] * emotion, 0);
  return Math.min(100, Math.max(0, level));
}

function readWindow(path) {
  const file = readFileSync(path);
  const refuse = () => new Error(`${path}: not a 16 kHz mono 16-bit WAV file`);
  if (file.toString("latin1", 0, 4) !== "RIFF" || file.toString("latin1", 8, 12) !== "WAVE") throw refuse();
  let readable = false;
  for (let at = 12; at + 8 <= file.length; ) {
    const [name, size] = [file.toString("latin1", at, at + 4), file.readUInt32LE(at + 4)];
    const body = file.subarray(at + 8, at + 8 + size);
    if (name === "fmt " && body.length >= 16) {
      const [format, channels, bits] = [body.readUInt16LE(0), body.readUInt16LE(2), body.readUInt16LE(14)];
      readable = format === 1 && channels === 1 && bits === 16 && body.readUInt32LE(4) === 16_000;
    }
    if (name === "data" && readable) return body.subarray(0, body.length - (body.length % 2));
    at += 8 + size + (size % 2);
  }
  throw refuse();
}

function explain(error) {
  if (error.code === grpc.status.UNAVAILABLE && FULL.test(error.details)) return `overloaded: ${error.details}`;
  return error.message;
}

async function score({ path, url, model, deadlineS }) {
  const pcm = readWindow(path);
  const triton = connect(url); // a service keeps it for the life of the process
  try {
    const contract = await readContract(triton, model, deadlineS);
    const emotions = emotionsOf(await logitsOf(pcm, triton, model, contract, deadlineS), contract);
    const level = levelOf(emotions, contract);
    const status = level > contract.status_threshold ? "High" : "Normal";
    const byLabel = Object.fromEntries(contract.labels.map((label, index) => [label, emotions[index]]));
    return { level, status, emotions: byLabel };
  } finally {
    triton.close();
  }
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      url: { type: "string", default: "localhost:8001" },
      model: { type: "string", default: "stress" },
      deadline: { type: "string", default: "30" }, // seconds a call may take, its retries included
    },
  });
  const deadlineS = Number(values.deadline);
  if (positionals.length !== 1 || !(deadlineS > 0)) throw new Error(USAGE);
  return { path: positionals[0], url: values.url, model: values.model, deadlineS };
}

try {
  console.log(JSON.stringify(await score(readArguments())));
} catch (error) {
  console.error(`score: ${explain(error)}`);
  process.exitCode = 1;
}
