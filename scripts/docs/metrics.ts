/** docs/metrics.md, from the table of metrics in runtime. */
import { metricTableMarkdown } from "@florin/runtime/telemetry";

export function renderMetrics(): string {
  return `# Metrics

Generated from \`runtime/src/telemetry/metric-table.ts\` by \`npm run docs\`. Every process serves its own at \`/metrics\` of its admin port, in the Prometheus text format.
Labels are closed sets: no request can make a new time series.

${metricTableMarkdown().trim()}
`;
}
