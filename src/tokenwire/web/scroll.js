/** A scroller that stays at its end while its content grows, until the reader scrolls away. */

const NEAR = 24;

export class FollowingScroller {
  #scroller;
  #following = true;
  #top = 0;
  #changed;

  /**
   * @param {HTMLElement} scroller
   * @param {HTMLElement} content its only child, whose growth is followed
   * @param {(following: boolean) => void} [changed]
   */
  constructor(scroller, content, changed = () => undefined) {
    this.#scroller = scroller;
    this.#changed = changed;
    scroller.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    const grown = new ResizeObserver(() => {
      if (this.#following) this.#toEnd();
    });
    grown.observe(content);
    grown.observe(scroller);
  }

  /** Go to the end and stay there. */
  follow() {
    this.#set(true);
    this.#toEnd();
  }

  #toEnd() {
    this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#top = this.#scroller.scrollTop;
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.#scroller;
    const distance = scrollHeight - scrollTop - clientHeight;
    // Only a move upwards is a wish to leave: content that grew also makes the end distant, and content that
    // shrank moves upwards too, but leaves the reader at the end.
    if (scrollTop < this.#top && distance > 1) this.#set(false);
    else if (distance <= NEAR) this.#set(true);
    this.#top = scrollTop;
  }

  /** @param {boolean} following */
  #set(following) {
    if (following === this.#following) return;
    this.#following = following;
    this.#changed(following);
  }
}
