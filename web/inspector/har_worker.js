// Reads a HAR file beside the page, so that the page does not stand still, and keeps its entries: the page asks for the details of one
// at a time.
import { detailsOf, entriesOf, messagesOf, summaryOf } from './har.js';

const kBatch = 500;
let entries = [];
const byId = new Map();

async function open(file) {
  entries = entriesOf(await file.text());
  let batch = [];
  let unread = 0;
  entries.forEach((entry, index) => {
    try {
      const summary = summaryOf(entry, index);
      if (byId.has(summary.id)) summary.id = `h-${index + 1}`;
      byId.set(summary.id, index);
      batch.push(summary);
    } catch {
      ++unread;
    }
    if (batch.length === kBatch) {
      postMessage({ summaries: batch });
      batch = [];
    }
  });
  postMessage({ summaries: batch });
  return { unread };
}

const answers = {
  open: ({ file }) => open(file),
  details: ({ id }) => ({ ...detailsOf(entries[byId.get(id)], byId.get(id)), id }),
  messages: ({ id }) => messagesOf(entries[byId.get(id)]),
};

addEventListener('message', async ({ data }) => {
  try {
    postMessage({ call: data.call, value: await answers[data.kind](data) });
  } catch (error) {
    postMessage({ call: data.call, error: error instanceof RangeError ? 'it is too large for this browser' : error.message });
  }
});
