"""What operators see: log lines, metrics, traces. Ids, codes and numbers only; nobody's data, nobody's sentences."""
