// A charge point on the ocpp-rpc client in strict mode: whatever does not fit that library's own schemas is an error.
//
//     node charge_point.js URL IDENTITY ANSWERS
//
// ANSWERS is a file with {"action": [answer, …]}: what it says to the calls of an action, one after the other; null is a
// CALLERROR. It goes through a session, prints a line READY, and ends with standard input. What it takes for wrong goes to
// standard error.

const { readFileSync } = require('fs');
const { RPCClient, createRPCError } = require('ocpp-rpc');

const [endpoint, identity, answersFile] = process.argv.slice(2);
const answers = JSON.parse(readFileSync(answersFile));
const charger = new RPCClient({ endpoint, identity, protocols: ['ocpp1.6'], strictMode: true, reconnect: false });

charger.on('strictValidationFailure', ({ error }) => {
    console.error(`strict: ${error.message} ${JSON.stringify(error.details)}`);
});
charger.on('badMessage', ({ error }) => console.error(`bad message: ${error.message}`));
charger.handle(({ method }) => {
    const answer = (answers[method] ?? []).shift();
    if (answer === undefined) {
        console.error(`${method} was not expected`);
    }
    if (!answer) {
        throw createRPCError('SecurityError', 'not today', { since: 'noon' });
    }
    return answer;
});

async function session() {
    const sampledValue = [{ value: '1200', measurand: 'Energy.Active.Import.Register', unit: 'Wh' }];
    const booted = await charger.call('BootNotification', { chargePointVendor: 'ACME', chargePointModel: 'One' });
    if (booted.status !== 'Accepted') {
        throw new Error(`the boot was answered ${booted.status}`);
    }
    await charger.call('StatusNotification', { connectorId: 1, errorCode: 'NoError', status: 'Preparing' });
    await charger.call('Authorize', { idTag: 'TAG1' });
    const { transactionId } = await charger.call('StartTransaction', {
        connectorId: 1, idTag: 'TAG1', meterStart: 1000, timestamp: '2026-03-01T10:00:00Z',
    });
    await charger.call('MeterValues', {
        connectorId: 1, transactionId, meterValue: [{ timestamp: '2026-03-01T10:05:00Z', sampledValue }],
    });
    await charger.call('StopTransaction', { transactionId, meterStop: 1400, timestamp: '2026-03-01T10:10:00Z' });
    await charger.call('DataTransfer', { vendorId: 'com.example' });
    await charger.call('FirmwareStatusNotification', { status: 'Idle' });
    await charger.call('DiagnosticsStatusNotification', { status: 'Idle' });
    await charger.call('SecurityEventNotification', { type: 'StartupOfTheDevice', timestamp: '2026-03-01T10:10:00Z' });
    await charger.call('LogStatusNotification', { status: 'Idle' });
    await charger.call('SignedFirmwareStatusNotification', { status: 'Idle' });
    await charger.call('Heartbeat', {});
}

process.stdin.on('end', () => charger.close()).resume();
charger
    .connect()
    .then(session)
    .then(() => console.log('READY'))
    .catch((error) => {
        console.error(`${error.stack}`);
        process.exit(1);
    });
