/** One mail as text; the address is chosen by who sends it. */
export interface Letter {
  readonly subject: string;
  readonly text: string;
}

/** What every letter may speak of. No address, IP or password: a mailbox may be the wrong one. */
interface About {
  /** The address that users know, such as `chat.example.com`. */
  readonly site: string;
  readonly username: string;
}

interface WithLink extends About {
  readonly link: string;
}

const letter = ({ site, username }: About, subject: string, ...paragraphs: readonly string[]): Letter => ({
  subject: `${subject} - ${site}`,
  text: [`Hello ${username},`, ...paragraphs, `This mail was sent by ${site}. Nobody reads answers to it.`, ''].join(
    '\n\n',
  ),
});

const NOT_YOU = 'If this was not you, set a new password now, by "forgot password" if you cannot log in,';

const FIRST_PROOF =
  'It was the first time that somebody showed to read this address. In case it was not you who made the account, everything else ' +
  'that led in to it is gone, too: API keys, sign-ins by other services and a second factor. Make anew what you need.';

/** Every mail that is sent, in plain text. */
export const LETTERS = {
  verifyEmail: (about: WithLink): Letter =>
    letter(
      about,
      'Verify your e-mail address',
      'follow this link to verify that this address is yours:',
      about.link,
      'It is good once, for 24 hours. If you did not make an account, ignore this mail.',
    ),
  addressInUse: (about: About): Letter =>
    letter(
      about,
      'You already have an account',
      'somebody, perhaps you, tried to make an account with this address. You have one already: log in, or use "forgot password".',
      'If it was not you, there is nothing to do: no account was made with your address, yours is as it was, and nobody was told that you have one.',
    ),
  resetPassword: (about: WithLink): Letter =>
    letter(
      about,
      'Set a new password',
      'follow this link to set a new password:',
      about.link,
      'It is good once, for 30 minutes, and ends every login. If you did not ask for it, ignore this mail: your password stays as it is.',
    ),
  /** `isFirstProof`: until now nobody had shown to read this address, so that somebody else may have made the account. */
  passwordChanged: (about: About & { readonly isFirstProof?: boolean }): Letter =>
    letter(
      about,
      'Your password was changed',
      'the password of your account was changed just now, and other devices were signed out.',
      ...(about.isFirstProof ? [FIRST_PROOF] : []),
      `${NOT_YOU} and look through your API keys.`,
    ),
  emailChanged: (about: About): Letter =>
    letter(
      about,
      'Your e-mail address was changed',
      'the e-mail address of your account was changed just now. This one belongs to it no more.',
      'If this was not you, write to the people who run the service at once.',
    ),
  mfaEnabled: (about: About): Letter =>
    letter(
      about,
      'Second factor switched on',
      'from now on a login to your account needs a code of your authenticator app. Keep the recovery codes in a safe place.',
      `${NOT_YOU} and write to the people who run the service.`,
    ),
  mfaDisabled: (about: About): Letter =>
    letter(
      about,
      'Second factor switched off',
      'the second factor of your account was switched off just now, by you or by an administrator: the password alone is enough again.',
      `${NOT_YOU} and switch it on again.`,
    ),
  recoveryCodeUsed: (about: About & { readonly left: number }): Letter =>
    letter(
      about,
      'Recovery code used',
      `a recovery code of your account was used just now; ${String(about.left)} are left. For new ones switch the second factor off and on again.`,
      `${NOT_YOU} and sign out devices that you do not know.`,
    ),
  codesRefused: (about: About): Letter =>
    letter(
      about,
      'Login stopped at the second factor',
      'somebody got through the first step of a login to your account, which is your password or a sign-in at another service, and was stopped because the codes after it were wrong.',
      `If it was you, wait a little and try again. ${NOT_YOU} and write to nobody who asks you for a code.`,
    ),
  identityLinked: (about: About & { readonly provider: string }): Letter =>
    letter(
      about,
      'A new way to log in',
      `somebody who signed in at ${about.provider} with this address was let in to your account, and can log in that way from now on.`,
      `If it was you, there is nothing to do. If not, write to the people who run the service at once: somebody else uses your address at ${about.provider}.`,
    ),
  identityAdded: (about: About & { readonly provider: string }): Letter =>
    letter(
      about,
      'A new way to log in',
      `from now on ${about.provider} can be used to log in to your account. Somebody who was logged in to it added that just now.`,
      `${NOT_YOU} and remove it from your account.`,
    ),
  newLogin: (about: About & { readonly device: string; readonly at: Date }): Letter =>
    letter(
      about,
      'New login',
      `somebody logged in to your account from a device that was not seen before: ${about.device}, ${about.at.toISOString()}.`,
      `If it was you, there is nothing to do. ${NOT_YOU} and sign out devices that you do not know.`,
    ),
} as const;
