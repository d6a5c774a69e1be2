// What the parsers are given: odd and hostile inputs written by hand, and
// others that a seeded program makes up.

// random returns a generator of numbers in [0, 1), the same for each run.
function random(seed) {
  return () => {
    seed = (seed + 0x9e3779b9) | 0;
    let x = seed ^ (seed >>> 16);
    x = Math.imul(x, 0x21f0aaad);
    x ^= x >>> 15;
    x = Math.imul(x, 0x735a2d97);
    return ((x ^ (x >>> 15)) >>> 0) / 2 ** 32;
  };
}

function dice(seed) {
  const next = random(seed);
  const below = (n) => Math.floor(next() * n);
  const pick = (...list) => list[below(list.length)];
  // spoil removes, doubles or replaces a few characters.
  const spoil = (text, letters) => {
    for (let n = below(3); n >= 0; n--) {
      const all = [...text];
      const at = below(all.length + 1);
      all.splice(at, below(2), ...pick([], [pick(...letters)], [all[at] ?? "", all[at] ?? ""]));
      text = all.join("");
    }
    return text;
  };
  return { below, pick, spoil };
}

const zero = '{"_placeholder":true,"num":0}';
const first = '{"_placeholder":true,"num":1}';
const nested = (n) => "[".repeat(n) + "]".repeat(n);

const oddPackets = [
  // The type.
  "", " ", "7", "9", "-1", "a", "é", "\u00000", "00", "0 ", "2", "3", "4", "5", "6", "1", "10", "0\n",
  // CONNECT, its answer and its refusal.
  "0{}", '0{"token":"abc"}', "0/admin", "0/admin,", '0/admin,{"a":1}', "0/a?x=1&y={},", "0/,", "0/,{}", "0//,", "0null", "0[]",
  '0"x"', "0123", "0123{}", "0/a,12{}", "0{", "0{}}", "0{} {}", " 0", '4{"message":"no"}', '4"no"', "4", "4[]", "4null", "41", "4/a,{}",
  // DISCONNECT.
  "1/admin,", "1/admin", "1{}", "1null", "1[]", '1"x"', "17", "1 ", "1/a,x",
  // EVENT.
  '2["hello"]', '2["a",1,-2.5e3,"x",true,false,null,[1,[2]],{"b":{}}]', '2/chat,["a"]', '212["a",1]', '2/chat,0["a"]', '2007["a"]',
  "2[1]", "2[-1.5,2]", "2[1e3]", '2[""]', "2[]", "2[null]", "2[true]", "2[[]]", "2[{}]", "2{}", '2"a"', "2null", "20", "2/chat,", "2/chat",
  '2["connect"]', '2["connect_error"]', '2["disconnect"]', '2["disconnecting"]', '2["newListener"]', '2["removeListener"]', '2["error"]',
  '2["Connect"]', '2["conn\\u0065ct"]', '2["__proto__"]', '2["constructor",{"__proto__":{"x":1}}]', '2["a",{"b":1,"b":2}]',
  '2["é漢😀"]', '2["\\u00e9\\ud83d\\ude00"]', '2["\\ud83d"]', '2["a","\\ud83d\\u0041"]', '2["\\"\\\\\\/\\b\\f\\n\\r\\t"]',
  // JSON.
  '2["a",]', '2["a" "b"]', "2['a']", '2["a",01]', '2["a",1.]', '2["a",.5]', '2["a",+1]', '2["a",1e]', '2["a",1e400]', '2["a",-1e400]',
  '2["a",-0]', '2["a",NaN]', '2["a",undefined]', '2["a",0x1]', '2["a","\\x41"]', '2["a","\\u12"]', '2["a","\t"]', '2["a","\u007f\u2028"]',
  '2["a"]x', '2["a"]]', '2["a"', '2["a', '2["a",{"b"}]', '2["a",{"b":}]', '2["a",{b:1}]', '2["a",{,}]', '2["a",/*x*/1]', '2["a",tru]',
  '2["a",12345678901234567890]', '2["a",0.1e-7,1E+2]', '2["a"]\u00a0', '2\ufeff["a"]', '2["a"] \t\r\n', '2\n["a"]', '2 ["a"]', '2\t["a"]',
  '2["a" , {\n} , [ ] ]', `2["a",${nested(510)}]`, `2["a",${nested(511)}]`, `2["a",${nested(512)}]`, `2["a"${",1".repeat(4096)}]`,
  `2["a"${",1".repeat(4097)}]`,
  // The id.
  '2-1["a"]', '2+1["a"]', '21.5["a"]', '21e3["a"]', '20x1["a"]', '2 1["a"]', '21 ["a"]', '29007199254740991["a"]', '29007199254740992["a"]',
  `2${"9".repeat(400)}["a"]`, '2/a,-1["a"]', '2/a, 1["a"]', '2٣["a"]', "21,", '2,["a"]', '2/a,/b,["a"]', '2/a,,["a"]',
  // ACK.
  '30["ok",1]', "35[]", "3[]", "30", "30{}", "30null", '30"x"', '30["disconnect"]', "3/a,1[null]", "30[1",
  // Binary packets.
  `51-["a",${zero}]`, `52-["a",${zero},${first}]`, `52-["a",${first},${zero}]`, `51-["a",${first}]`, `51-["a",${zero},${zero}]`, `51-["a"]`,
  `51-/chat,7["a",{"b":[${zero}]}]`, `61-7[${zero}]`, `61-[${zero}]`, "61-7[]", `51-[${zero}]`, "51-", "51-7", "51-/a", "51-{}", '51-["connect"]',
  '50-["a"]', '5["a"]', '5-["a"]', '5-1-["a"]', '5+1-["a"]', '51.0-["a"]', '51.5-["a"]', '51e0-["a"]', '51e1-["a"]', '50x1-["a"]', '5 1-["a"]',
  '501-["a"]', '510-["a"]', '511-["a"]', '599999999999999999999-["a"]', "51", "51x", '5NaN-["a"]', '5Infinity-["a"]', '51--["a"]',
  '51-["a",{"_placeholder":true,"num":-1}]', '51-["a",{"_placeholder":true,"num":0.5}]', '51-["a",{"_placeholder":true,"num":"0"}]',
  '51-["a",{"_placeholder":true}]', '51-["a",{"_placeholder":true,"num":null}]', '51-["a",{"_placeholder":true,"num":1e0}]',
  '51-["a",{"_placeholder":true,"num":0e5}]', '51-["a",{"_placeholder":true,"num":-0}]', '51-["a",{"_placeholder":true,"num":0.0}]',
  '51-["a",{"_placeholder":1,"num":0}]', '51-["a",{"_placeholder":false,"num":9}]', '51-["a",{"_placeholder":"true","num":9}]',
  '51-["a",{"_placeholder":true,"num":0,"x":[1]}]', `51-["a",{"_placeholder":true,"num":0,"x":${first}}]`,
  '51-["a",{"_placeholder":false,"_placeholder":true,"num":9,"num":0}]', '51-["a",{"_placeholder":true,"num":0,"num":9}]',
  '51-["a",{"\\u005fplaceholder":true,"n\\u0075m":0}]', '51-["a",{"\\u005fplaceholder":true,"num":9}]', '51-["a","{\\"_placeholder\\":true}"]',
  `2["a",${zero}]`, '2["a",{"_placeholder":true,"num":9}]', '0{"_placeholder":true,"num":9}', `51-[1,${zero}]`, `51- ["a",${zero}]`,
];

function somePacket({ below, pick, spoil }) {
  const value = (depth) => {
    switch (below(depth > 3 ? 8 : 11)) {
      case 0: return String(below(2000) - 1000);
      case 1: return pick("1.5", "-0", "1e21", "9007199254740993", "5e-324", "0.1");
      case 2: return pick("true", "false", "null");
      case 3: return JSON.stringify(pick("", "a", "é", "😀", "line\nbreak", "\u2028", 'quo"te', "\\", "_placeholder", "\u0000"));
      case 4: return `{"_placeholder":true,"num":${below(4)}}`;
      case 5: return pick('"\\u0041"', '"\\ud800"', '"\\/"', "[]", "{}", ' [ ] ', "{ }");
      case 6: case 7: return String(below(10));
      case 8: case 9: return `[${Array.from({ length: below(4) }, () => value(depth + 1)).join(pick(",", ", "))}]`;
      default: return `{${Array.from({ length: below(4) }, () => `${JSON.stringify(pick("a", "b", "num", "_placeholder", "é"))}:${value(depth + 1)}`).join(",")}}`;
    }
  };
  const type = below(7);
  let text = String(type) + (type > 4 ? `${1 + below(3)}-` : "");
  text += pick("", "", "/chat,", "/a b,", "/é?x=1,");
  if (below(2)) text += pick("0", "7", "12", "0034", "123456789");
  const list = Array.from({ length: below(4) }, () => value(0));
  const name = JSON.stringify(pick("message", "a", "é", "error", "disconnect", "")) ;
  switch (type) {
    case 0: text += pick("", '{"token":"x"}', value(0)); break;
    case 1: text += pick("", "", value(0)); break;
    case 4: text += pick('{"message":"no"}', '"no"', value(0)); break;
    case 2: case 5: text += `[${[pick(name, name, name, value(0)), ...list].join(",")}]`; break;
    default: text += `[${list.join(",")}]`;
  }
  return below(3) ? text : spoil(text, [..."0123456789-/,[]{}\":\\ \n\taé_.e+tnu"]);
}

// packets are texts of Socket.IO packets.
export function packets() {
  const d = dice(1);
  const list = [...oddPackets];
  while (list.length < 800) list.push(somePacket(d));
  return [...new Set(list)];
}

const oddPayloads = [
  "", "\x1e", "2", "4", "4hello", "4a\x1e4b", "4a\x1e", "\x1e4a", "4a\x1e\x1e4b", "bAQID", "b", "bAQ==", "bAQ", "bA", "bAQ=", "b====", "bAQ==AQID",
  "b-_-_", "bAQ D", "bAQ\nID", "bé", "4é漢😀\x1ebAQID\x1e2", "7", "x", " ", "0", "1", "3probe", "5", "6", '0{"sid":"x"}', "4\x1f", "4\u0000", "٣", "44",
  "2\x1e3\x1e7\x1e4a", "4a\x1ex", "bAQID\x1ebA\x1e4a", "B", "4a\u2028",
];

function somePayload({ below, pick, spoil }) {
  const packet = () => pick("2", "3", "6", "4" + pick("", "hello", "é", "2[\"a\"]"), "b" + Buffer.from(Array.from({ length: below(6) }, () => below(256))).toString("base64"));
  const text = Array.from({ length: 1 + below(4) }, packet).join("\x1e");
  return below(2) ? text : spoil(text, [..."0123456789b=+/-_\x1e aé"]);
}

// payloads are bodies of polling requests.
export function payloads() {
  const d = dice(2);
  const list = [...oddPayloads];
  while (list.length < 300) list.push(somePayload(d));
  return [...new Set(list)];
}
