// What the Node server and the tests both know.

/** The namespaces of every server, and those made on demand. */
export const namespaces = ["/", "/control", "/chat", "/chat#lobby", "/ä b#*c?\"世界"];
export const patterns = [/^\/dynamic-\w+$/];

/** Values that no client can send: a server makes them. */
export const specimens = {
  dates: () => [new Date(1700000000000), { at: [new Date(1700000000123), new Date(-1)] }],
  absent: () => [null, undefined, [undefined, null], { gone: undefined, kept: null }],
  bytes: () => [Buffer.from([1, 2]), { deep: [new Uint8Array([3]), new Uint8Array()] }, Buffer.alloc(70_000, 7)],
  numbers: () => [0, -1, 127, 128, 65536, -32769, 4294967296, 2 ** 53, -(2 ** 53), 0.5, -1e-7, NaN, Infinity],
};

let deep = 1;
for (let i = 0; i < 400; i++) deep = i % 2 ? [deep] : { deep };

/** How clients receive them. */
export const received = {
  dates: ["2023-11-14T22:13:20.000Z", { at: ["2023-11-14T22:13:20.123Z", "1969-12-31T23:59:59.999Z"] }],
  absent: [null, null, [null, null], { kept: null }],
  bytes: [Buffer.from([1, 2]), { deep: [Buffer.from([3]), Buffer.alloc(0)] }, Buffer.alloc(70_000, 7)],
  numbers: [0, -1, 127, 128, 65536, -32769, 4294967296, 2 ** 53, -(2 ** 53), 0.5, -1e-7, null, null],
  huge: [1e21, 1e300, -1e300, -(2 ** 63), 2 ** 64], // of Go only: Node cuts off what does not fit into 64 bits
  deep: [deep],
  broken: ["\u{FFFD}x\u{FFFD}", "x".repeat(1_000_000)], // of Go only: text that is not UTF-8
};
