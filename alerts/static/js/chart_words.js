// Numbers and times of charts as people read them: few digits, UTC or the person's own zone.
// Handed: numbers, Unix seconds, a chart's JSON. Hands on: text.
export function short(value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  if (size >= 100) return Math.round(value).toLocaleString("en");
  if (size >= 0.01) return trim(value);
  return Number(value.toPrecision(2)).toString();
}
const trim = (value) => Number(value.toPrecision(3)).toLocaleString("en", { maximumSignificantDigits: 3 });
export const percentText = (value) => `${trim(100 * value)} %`;

const two = (number) => String(number).padStart(2, "0");
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
export const isLocal = () => document.cookie.split("; ").includes("zone=local");
function parts(seconds) {
  const moment = new Date(1000 * seconds);
  const local = isLocal();
  return {
    day: local ? moment.getDate() : moment.getUTCDate(),
    month: MONTHS[local ? moment.getMonth() : moment.getUTCMonth()],
    hour: local ? moment.getHours() : moment.getUTCHours(),
    minute: local ? moment.getMinutes() : moment.getUTCMinutes(),
    second: local ? moment.getSeconds() : moment.getUTCSeconds(),
  };
}
export function timeTick(seconds, step) {
  const at = parts(seconds);
  const midnight = at.hour === 0 && at.minute === 0 && at.second === 0;
  if (step >= 86400 || midnight) return `${at.day} ${at.month}`;
  return `${two(at.hour)}:${two(at.minute)}${step < 60 ? `:${two(at.second)}` : ""}`;
}
function moment(seconds, withDay) {
  const at = parts(seconds);
  const clock = `${two(at.hour)}:${two(at.minute)}${at.second ? `:${two(at.second)}` : ""}`;
  return withDay ? `${at.day} ${at.month} ${clock}` : clock;
}
export function span(spec, index) {
  const from = spec.x[index];
  if (!spec.time) return `${spec.x_label ? `${spec.x_label} ` : ""}${short(from)}`;
  if (!spec.step) return moment(from, true);
  const to = from + spec.step;
  return `${moment(from, true)} – ${moment(to, parts(from).day !== parts(to).day)}`;
}
