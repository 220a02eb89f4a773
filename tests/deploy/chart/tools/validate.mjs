// Validates custom resources against their makers' schemas: JSON lines in, one {"name", "errors"} a resource out.
import { createInterface } from "node:readline";

const PACKAGES = {
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
  "gateway.networking.k8s.io": "gateway-api",
};

for await (const line of createInterface({ input: process.stdin })) {
  const resource = JSON.parse(line);
  const [group, version] = resource.apiVersion.split("/");
  const name = `${resource.kind}/${resource.metadata.name}`;
  const errors = [];
  try {
    const kinds = await import(`@kubernetes-models/${PACKAGES[group]}/${group}/${version}`);
    if (!kinds[resource.kind]) throw new Error(`no kind ${resource.kind} in ${resource.apiVersion}`);
    new kinds[resource.kind](resource).validate();
  } catch (error) {
    errors.push(error.message);
  }
  console.log(JSON.stringify({ name, errors }));
}
