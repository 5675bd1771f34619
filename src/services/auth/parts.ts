import { createChallenges } from './challenges.ts';
import { createCompleteLogin } from './completeLogin.ts';
import type { AuthDependencies, AuthParts } from './deps.ts';
import { createDeviceTokens } from './devices.ts';
import { createMailTokens } from './mailTokens.ts';
import { createPasswordRules } from './passwordRules.ts';
import { createRefreshTokens } from './refreshTokens.ts';
import { createSecondFactors } from './secondFactors.ts';
import { createThrottle } from './throttle.ts';
import { createAccessTokens } from './tokens.ts';

/** What the use cases of accounts share. */
export const createParts = (dependencies: AuthDependencies): AuthParts => {
  const { config, clock, limits } = dependencies;
  const devices = createDeviceTokens(config.auth, () => clock.now());
  const basic = {
    ...dependencies,
    logger: dependencies.logger.child('auth'),
    rules: createPasswordRules(config.auth.passwordRules, ['parley', new URL(config.mail.baseUrl).hostname]),
    accessTokens: createAccessTokens(config.auth, clock),
    refreshTokens: createRefreshTokens(config.auth),
    devices,
    mailTokens: createMailTokens(dependencies),
    mailLimit: limits.mails,
    throttle: createThrottle(limits.failures, devices),
    challenges: createChallenges(dependencies),
  };
  const withFactors = { ...basic, secondFactors: createSecondFactors(basic) };
  return { ...withFactors, completeLogin: createCompleteLogin(withFactors) };
};
