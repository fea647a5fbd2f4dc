const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'] as const;

const two = (value: number): string => String(value).padStart(2, '0');

/** A date in local time by the directives of C's `strftime` that chat templates use; others stay as they are. English names. */
export function formatDate(date: Date, format: string): string {
  return format.replace(/%(-?[A-Za-z%])/g, (whole, directive: string) => {
    switch (directive) {
      case 'Y':
        return String(date.getFullYear());
      case 'm':
        return two(date.getMonth() + 1);
      case 'd':
        return two(date.getDate());
      case '-d':
        return String(date.getDate());
      case 'B':
        return MONTHS[date.getMonth()] ?? '';
      case 'b':
        return (MONTHS[date.getMonth()] ?? '').slice(0, 3);
      case 'A':
        return DAYS[date.getDay()] ?? '';
      case 'a':
        return (DAYS[date.getDay()] ?? '').slice(0, 3);
      case 'H':
        return two(date.getHours());
      case 'M':
        return two(date.getMinutes());
      case 'S':
        return two(date.getSeconds());
      case '%':
        return '%';
      default:
        return whole;
    }
  });
}

/** A date format as Go template text, with the names of the definitions that it calls. Undefined where Ollama's functions do not give it. */
export function goDate(format: string): { readonly text: string; readonly definitions: readonly string[] } | undefined {
  const definitions = new Set<string>();
  if (/%(?!-?d|[YmbB%])/.test(format)) {
    return undefined;
  }
  const text = format.replace(/%(-?[A-Za-z%])/g, (_whole, directive: string) => {
    switch (directive) {
      case 'Y':
        return '{{ slice currentDate 0 4 }}';
      case 'm':
        return '{{ slice currentDate 5 7 }}';
      case 'd':
        return '{{ slice currentDate 8 10 }}';
      case '-d':
        return '{{ if eq (slice currentDate 8 9) "0" }}{{ slice currentDate 9 10 }}{{ else }}{{ slice currentDate 8 10 }}{{ end }}';
      case 'b':
      case 'B':
        definitions.add(directive === 'b' ? SHORT_MONTH : LONG_MONTH);
        // Ollama refuses a call without an argument.
        return `{{ template "${directive === 'b' ? 'shortMonth' : 'month'}" . }}`;
      default:
        return '%';
    }
  });
  return { text, definitions: [...definitions] };
}

function monthDefinition(name: string, months: readonly string[]): string {
  const branches = months.map(
    (month, index) => `{{ ${index === 0 ? 'if' : 'else if'} eq $month "${two(index + 1)}" }}${month}`,
  );
  return `{{- define "${name}" }}{{ $month := slice currentDate 5 7 }}${branches.join('')}{{ end }}{{ end }}`;
}

const LONG_MONTH = monthDefinition('month', MONTHS);
const SHORT_MONTH = monthDefinition(
  'shortMonth',
  MONTHS.map((month) => month.slice(0, 3)),
);
