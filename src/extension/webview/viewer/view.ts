import type { SummaryAnswer } from '../../../core/viewer/viewerProtocol';
import type { Channel } from './channel';

/** What every tab is given. */
export interface ViewContext {
  readonly channel: Channel;
  readonly summary: SummaryAnswer;
  /** Opens the tensors at one of them. */
  readonly showTensor: (index: number) => void;
}

/** A tab's contents, made when it is first opened. */
export interface View {
  readonly element: HTMLElement;
  /** It came into sight. */
  shown?(): void;
}
