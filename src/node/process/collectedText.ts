/** Text that comes in pieces, kept up to a length from its beginning or its end; memory stays at twice that length. */
export class CollectedText {
  #pieces: string[] = [];
  #length = 0;

  constructor(
    private readonly most: number,
    private readonly keep: 'head' | 'tail',
  ) {}

  add(piece: string): void {
    if (this.keep === 'head' && this.#length >= this.most) {
      return;
    }
    this.#pieces.push(piece);
    this.#length += piece.length;
    if (this.keep === 'tail' && this.#length > 2 * this.most) {
      this.#pieces = [this.text()];
      this.#length = this.#pieces[0]!.length;
    }
  }

  text(): string {
    const text = this.#pieces.join('');
    return this.keep === 'head' ? text.slice(0, this.most) : text.slice(-this.most);
  }
}
