/** X.509 certificates of a test's own, signed by themselves (RFC 5280), since Node makes keys but no certificates. */
import { createSign, generateKeyPairSync } from 'node:crypto';

export interface Certificate {
  /** PEM. */
  readonly key: string;
  readonly cert: string;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const GENERALIZED_TIME = 0x18;
/** ecdsa-with-SHA256, 1.2.840.10045.4.3.2 (RFC 5758 s3.2). */
const ECDSA_WITH_SHA256 = [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
/** id-at-commonName, 2.5.4.3. */
const COMMON_NAME = [0x55, 0x04, 0x03];

/** For `name`, valid between the two times (epoch ms). */
export function selfSignedCertificate(name: string, notBefore: number, notAfter: number): Certificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, der(OBJECT_IDENTIFIER, Buffer.from(ECDSA_WITH_SHA256)));
  const attribute = der(
    SEQUENCE,
    der(OBJECT_IDENTIFIER, Buffer.from(COMMON_NAME)),
    der(UTF8_STRING, Buffer.from(name)),
  );
  const subject = der(SEQUENCE, der(SET, attribute));
  const toBeSigned = der(
    SEQUENCE,
    der(INTEGER, Buffer.from([1])),
    algorithm,
    subject,
    der(SEQUENCE, timeOf(notBefore), timeOf(notAfter)),
    subject,
    publicKey.export({ type: 'spki', format: 'der' }),
  );
  const signature = createSign('sha256').update(toBeSigned).sign(privateKey);
  const certificate = der(SEQUENCE, toBeSigned, algorithm, der(BIT_STRING, Buffer.from([0]), signature));
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return {
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
    cert: `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`,
  };
}

/** One element of DER (X.690): tag, length, content. */
function der(tag: number, ...contents: readonly Buffer[]): Buffer {
  const content = Buffer.concat(contents);
  const { length } = content;
  const lengthOctets = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([tag, ...lengthOctets]), content]);
}

/** Such as `20261122201507Z`. */
function timeOf(ms: number): Buffer {
  return der(GENERALIZED_TIME, Buffer.from(`${new Date(ms).toISOString().replace(/\D/g, '').slice(0, 14)}Z`));
}
